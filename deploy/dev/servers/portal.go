package servers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"padron/deploy/dev/stack"
	"padron/internal/boundaries"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/portalsim/store"
)

const (
	// DefaultRows is the size of the simulated register: enough for every page
	// of the dashboard, and loaded in seconds. The real one has about 368,000
	// rows.
	DefaultRows = 60_000
	// Seed makes the simulated rows the same at every start.
	Seed = 1849
	// Settled is the age of the rows that a portal serves at its start: old
	// enough for the one-second resolution of their version to be trusted.
	Settled = time.Hour
)

// Portal says where the rows come from.
type Portal struct {
	Live bool   // the real portal
	File string // a JSON or CSV file with rows; "" for none
	Rows int    // how many rows are simulated otherwise
	URL  string // a portal that the user runs (PADRON_PORTAL_URL); "" for none
	// Boundaries is a GeoJSON file with the outlines of the neighborhoods. With
	// "" simulated rows get invented outlines, and the rows of a file get none.
	Boundaries string
	Says       portalsim.Says // what the simulated portal's answers tell of their version
}

// world identifies the portal among those that this checkout's data may mirror;
// "" is the default one. Each has databases of its own: in a mirror of another
// portal all rows would be missing.
func (p Portal) world() (string, error) {
	var parts []string
	hashed := func(kind, file string) error {
		path, err := filepath.Abs(file)
		if err != nil {
			return fmt.Errorf("find %s: %w", file, err)
		}
		parts = append(parts, kind+"_"+stack.ShortHash(path))
		return nil
	}
	switch {
	case p.Live:
		return "live", nil
	case p.URL != "":
		return "url_" + stack.ShortHash(p.URL), nil
	case p.File != "":
		if err := hashed("file", p.File); err != nil {
			return "", err
		}
	case p.Rows != DefaultRows:
		parts = append(parts, fmt.Sprintf("rows_%d", p.Rows))
	}
	// A run that finds no new rows does not read the boundaries again.
	if p.Boundaries != "" {
		if err := hashed("geo", p.Boundaries); err != nil {
			return "", err
		}
	}
	return strings.Join(parts, "_"), nil
}

// findFile finds a file that the user named. `go run -C deploy/dev` changes the
// working directory, so a path that does not exist here is taken relative to
// the repository's root.
func findFile(dirs stack.Dirs, file string) string {
	if _, err := os.Stat(file); err == nil || filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(dirs.Root, file)
}

// startPortal serves simulated rows, unless another portal is used, and sets
// the variable by which programs find it. url is "" for the real portal.
func startPortal(ctx context.Context, s *stack.Stack, p Portal) (url string, err error) {
	switch {
	case p.Live:
		s.Steps.Say("Portal", "the real one (--live)")
		return "", nil
	case p.URL != "":
		s.Steps.Say("Portal", "%s (given by PADRON_PORTAL_URL)", p.URL)
		_, host, _ := strings.Cut(p.URL, "://")
		return p.URL, s.NotOwn("PADRON_PORTAL_URL", strings.TrimSuffix(host, "/"))
	}
	err = s.Steps.Do("Portal", "making the simulated portal's rows", func() (string, error) {
		table, version, err := p.rows(s)
		if err != nil {
			return "", err
		}
		o := portalsim.Options{Table: table, Seed: Seed, Updated: version, Says: p.Says}
		if err := p.outline(&o); err != nil {
			return "", err
		}
		if _, url, err = ServePortal(s, o); err != nil {
			return "", err
		}
		from := "simulated"
		if p.File != "" {
			from = p.File
		}
		return fmt.Sprintf("%s (%d rows, %s)", url, table.Len(), from), ctx.Err()
	})
	return url, err
}

// outline gives the portal its boundaries.
func (p Portal) outline(o *portalsim.Options) error {
	if p.Boundaries == "" {
		if p.File != "" {
			o.Boundaries = []boundaries.Area{}
		}
		return nil
	}
	info, err := os.Stat(p.Boundaries)
	if err != nil {
		return fmt.Errorf("read the portal's boundaries: %w", err)
	}
	o.BoundariesUpdated = info.ModTime()
	if o.Boundaries, err = portalsim.BoundariesFromFile(p.Boundaries); err != nil {
		return fmt.Errorf("read the portal's boundaries: %w", err)
	}
	return nil
}

// ServePortal serves a simulated portal and sets the variable by which programs
// find it.
func ServePortal(s *stack.Stack, o portalsim.Options) (portal *portalsim.Portal, url string, err error) {
	if portal, err = portalsim.New(o); err != nil {
		return nil, "", fmt.Errorf("start the simulated portal: %w", err)
	}
	listener := s.Listener(stack.PortPortal)
	server := &http.Server{Handler: portal, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.Fail(fmt.Errorf("the simulated portal ended by itself: %w", err))
		}
	}()
	s.OnStop("the simulated portal", func(context.Context) error { return server.Close() })
	url = "http://" + listener.Addr().String()
	s.Setenv("PADRON_PORTAL_URL", url)
	return portal, url, nil
}

// rows makes the portal's rows and says when they were published. Both are the
// same at the next start, so that a run then finds nothing new.
func (p Portal) rows(s *stack.Stack) (*store.Table, time.Time, error) {
	if p.File != "" {
		info, err := os.Stat(p.File)
		if err != nil {
			return nil, time.Time{}, fmt.Errorf("read the portal's rows: %w", err)
		}
		table, err := portalsim.FromFile(p.File)
		if err != nil {
			return nil, time.Time{}, fmt.Errorf("read the portal's rows: %w", err)
		}
		return table, info.ModTime().Add(-Settled).Truncate(time.Second), nil
	}
	version, err := s.PortalVersion(time.Now().UTC().Add(-Settled).Truncate(time.Second))
	if err != nil {
		return nil, time.Time{}, err
	}
	return register.Generate(p.Rows, Seed), version, nil
}
