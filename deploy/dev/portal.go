package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"padron/internal/boundaries"
	"padron/internal/socrata/socratatest"
)

const (
	// defaultRows is the size of the simulated register: enough for every page of the product to have something to
	// show, loaded in seconds. The real one has about 368,000.
	defaultRows = 60_000
	// portalSeed makes the simulated rows the same at every start.
	portalSeed = 1849
	// settled is how old a version must be for its one-second resolution to be trusted; a portal that starts up serves
	// rows older than that.
	settled = time.Hour
)

// Portal says where the rows come from.
type Portal struct {
	Live bool   // the real portal
	File string // a JSON or CSV file with rows; "" for none
	Rows int    // how many rows are simulated otherwise
	URL  string // a portal that the user runs (PADRON_PORTAL_URL); "" for none
	// Boundaries is a GeoJSON file with the outlines of the neighborhoods; "" for invented ones to simulated rows, and
	// for none to those of a file.
	Boundaries string
}

// check refuses what cannot be meant.
func (p Portal) check() error {
	switch {
	case p.Live && p.File != "":
		return fmt.Errorf("%w: --live and --portal-file exclude each other", errUsage)
	case p.Live && p.Rows != defaultRows:
		return fmt.Errorf("%w: --live and --rows exclude each other: the real portal has as many rows as it has", errUsage)
	case p.File != "" && p.Rows != defaultRows:
		return fmt.Errorf("%w: --portal-file and --rows exclude each other: the file has as many rows as it has", errUsage)
	case p.Live && p.Boundaries != "":
		return fmt.Errorf("%w: --live and --boundaries-file exclude each other", errUsage)
	case p.Rows < 1:
		return fmt.Errorf("%w: --rows %d: at least one row is needed", errUsage, p.Rows)
	}
	return nil
}

// World names the portal among those that this checkout's data may mirror; "" is the usual one. A mirror of one must
// not be taken for a mirror of another, whose rows would all be missing.
func (p Portal) World() (string, error) {
	var parts []string
	hashed := func(kind, file string) error {
		path, err := filepath.Abs(file)
		if err != nil {
			return fmt.Errorf("find %s: %w", file, err)
		}
		parts = append(parts, kind+"_"+shortHash(path))
		return nil
	}
	switch {
	case p.Live:
		return "live", nil
	case p.URL != "":
		return "url_" + shortHash(p.URL), nil
	case p.File != "":
		if err := hashed("file", p.File); err != nil {
			return "", err
		}
	case p.Rows != defaultRows:
		parts = append(parts, fmt.Sprintf("rows_%d", p.Rows))
	}
	// A run that finds no new rows would not look for other boundaries.
	if p.Boundaries != "" {
		if err := hashed("geo", p.Boundaries); err != nil {
			return "", err
		}
	}
	return strings.Join(parts, "_"), nil
}

// portalFile finds a file that was named from where the user stood: `go run -C deploy/dev` moves to another folder, so a
// path that leads nowhere from here is taken from the repository's root.
func portalFile(dirs Dirs, file string) string {
	if _, err := os.Stat(file); err == nil || filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(dirs.Root, file)
}

// startPortal serves simulated rows, unless another portal is to be used, and sets the variable by which programs find
// it. url is "" for the real portal.
func startPortal(ctx context.Context, stack *Stack, p Portal) (url string, err error) {
	switch {
	case p.Live:
		stack.Steps.Say("Portal", "the real one (--live)")
		return "", nil
	case p.URL != "":
		stack.Steps.Say("Portal", "%s (given by PADRON_PORTAL_URL)", p.URL)
		return p.URL, nil
	}
	err = stack.Steps.Do("Portal", "making the simulated portal's rows", func() (string, error) {
		table, version, err := p.rows(stack)
		if err != nil {
			return "", err
		}
		o := socratatest.Options{Table: table, Seed: portalSeed, Updated: version}
		if err := p.outline(&o); err != nil {
			return "", err
		}
		if _, url, err = servePortal(stack, o); err != nil {
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
func (p Portal) outline(o *socratatest.Options) error {
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
	if o.Boundaries, err = socratatest.BoundariesFromFile(p.Boundaries); err != nil {
		return fmt.Errorf("read the portal's boundaries: %w", err)
	}
	return nil
}

// servePortal serves a simulated portal and sets the variable by which programs find it.
func servePortal(stack *Stack, o socratatest.Options) (portal *socratatest.Portal, url string, err error) {
	if portal, err = socratatest.New(o); err != nil {
		return nil, "", fmt.Errorf("start the simulated portal: %w", err)
	}
	listener := stack.ports.Listener(portPortal)
	server := &http.Server{Handler: portal, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			stack.fail(fmt.Errorf("the simulated portal ended by itself: %w", err))
		}
	}()
	stack.onStop("the simulated portal", func(context.Context) error { return server.Close() })
	url = "http://" + listener.Addr().String()
	stack.setenv("PADRON_PORTAL_URL", url)
	return portal, url, nil
}

// rows makes the portal's rows and says when they were published. Both are the same at the next start, so that a run
// finds nothing new then.
func (p Portal) rows(stack *Stack) (*socratatest.Table, time.Time, error) {
	if p.File != "" {
		info, err := os.Stat(p.File)
		if err != nil {
			return nil, time.Time{}, fmt.Errorf("read the portal's rows: %w", err)
		}
		table, err := socratatest.FromFile(p.File)
		if err != nil {
			return nil, time.Time{}, fmt.Errorf("read the portal's rows: %w", err)
		}
		return table, info.ModTime().Add(-settled).Truncate(time.Second), nil
	}
	version, ok := stack.state.Portals[stack.Dirs.World]
	if !ok {
		version = time.Now().UTC().Add(-settled).Truncate(time.Second)
		stack.state.Portals[stack.Dirs.World] = version
		if err := writeState(stack.Dirs, stack.state); err != nil {
			return nil, time.Time{}, err
		}
	}
	return socratatest.Generate(p.Rows, portalSeed), version, nil
}
