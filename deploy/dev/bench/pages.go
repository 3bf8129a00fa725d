package bench

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"padron/deploy/dev/product"
	"padron/deploy/dev/stack"
)

// PagesOptions are those of a benchmark of the dashboard's pages.
type PagesOptions struct {
	URL    string        // of the dashboard
	Rate   float64       // requests a second
	Length time.Duration // of each phase
	Sync   bool          // measure during full runs of the checkout's stack too
}

// Phases are what MeasurePages measured: each phase in all, then by kind of
// page.
type Phases []phase

// pagesBench is one benchmark of a dashboard's pages.
type pagesBench struct {
	PagesOptions
	dirs     stack.Dirs
	client   *http.Client
	kinds    []pageKind // each as often as the others
	measured Phases
}

// pageKind is a kind of page, and makes addresses of it.
type pageKind struct {
	name string
	make func(*rand.Rand) string
}

// phase is what the requests of one phase took, all of them or those of one
// kind.
type phase struct {
	Name      string  `json:"name"`
	Kind      string  `json:"kind"` // of pages
	Requests  int     `json:"requests"`
	Addresses int     `json:"addresses"` // different ones
	Failed    int     `json:"failed"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	Max       float64 `json:"max_ms"`
	Slowest   string  `json:"slowest"`
}

// MeasurePages asks a dashboard for thousands of different addresses in no
// order, at a steady rate, and measures how long whole answers take. dirs is
// the checkout whose stack Sync uses.
func MeasurePages(ctx context.Context, o PagesOptions, dirs stack.Dirs) (Phases, error) {
	b := &pagesBench{PagesOptions: o, dirs: dirs}
	err := b.run(ctx)
	return b.measured, err
}

// PrintJSON writes the phases with every number that was taken.
func (p Phases) PrintJSON(w io.Writer) error { return json.NewEncoder(w).Encode(p) }

// PrintTable writes the phases for people.
func (p Phases) PrintTable(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "phase\tpages\trequests\taddresses\tfailed\tp50 ms\tp99 ms\tmax ms\t  slowest")
	for _, p := range p {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%.1f\t%.1f\t%.1f\t  %s\n",
			p.Name, p.Kind, p.Requests, p.Addresses, p.Failed, p.P50, p.P99, p.Max, p.Slowest)
	}
	return w.Flush()
}

func (b *pagesBench) run(ctx context.Context) error {
	b.URL = strings.TrimSuffix(b.URL, "/")
	b.client = &http.Client{Timeout: 30 * time.Second}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	if err := b.phase(ctx, "idle"); err != nil || !b.Sync {
		return err
	}
	running, ok, err := stack.FindRunning(ctx, b.dirs)
	if err != nil {
		return err
	}
	if !ok {
		return errors.New("--sync needs this checkout's stack: start `demo` first")
	}
	// One run after another, for as long as the phase lasts.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- keepRunning(ctx, b.dirs, running.Env) }()
	err = b.phase(ctx, "during runs")
	cancel()
	return errors.Join(err, <-done)
}

// keepRunning makes full runs until ctx ends.
func keepRunning(ctx context.Context, dirs stack.Dirs, env []string) error {
	for ctx.Err() == nil {
		cmd := exec.CommandContext(ctx, product.StarterPath(dirs), "run", "--wait", "--mode", "full")
		cmd.Dir, cmd.Env = dirs.Root, append(os.Environ(), env...)
		if out, err := cmd.CombinedOutput(); err != nil && ctx.Err() == nil {
			return fmt.Errorf("starter run: %w\n%s", err, out)
		}
	}
	return nil
}

// prepare reads names, words and keys from the dashboard's data.
func (b *pagesBench) prepare(ctx context.Context) error {
	neighborhoods, err := b.column(ctx, "/data/overview/neighborhoods.csv", "neighborhood")
	if err != nil {
		return err
	}
	sectors, err := b.column(ctx, "/data/sectors/sectors.csv", "sector")
	if err != nil {
		return err
	}
	keys, err := b.column(ctx, "/data/businesses.csv", "_id")
	if err != nil {
		return err
	}
	names, err := b.column(ctx, "/data/businesses.csv", "dba_name")
	if err != nil {
		return err
	}
	pick := func(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }
	lang := func(r *rand.Rand) string { return pick(r, []string{"/en/", "/es/"}) }
	month := func(r *rand.Rand) string { return fmt.Sprintf("%d-%02d", 1990+r.IntN(30), 1+r.IntN(12)) }
	b.kinds = []pageKind{
		{"overview", func(r *rand.Rand) string { return lang(r) + "?from=" + month(r) }},
		{"a neighborhood", func(r *rand.Rand) string { return lang(r) + "neighborhoods/" + url.PathEscape(pick(r, neighborhoods)) }},
		{"a sector", func(r *rand.Rand) string { return lang(r) + "sectors/" + url.PathEscape(pick(r, sectors)) }},
		{"a business", func(r *rand.Rand) string { return lang(r) + "businesses/" + url.PathEscape(pick(r, keys)) }},
		{"filtered rows", func(r *rand.Rand) string {
			q := url.Values{"neighborhood": {pick(r, neighborhoods)}, "open": {pick(r, []string{"yes", "no", ""})}, "after": {pick(r, keys)}}
			return lang(r) + "businesses?" + q.Encode()
		}},
		{"search", func(r *rand.Rand) string {
			word := []rune(pick(r, names))
			return lang(r) + "businesses?" + url.Values{"q": {string(word[:min(len(word), 3+r.IntN(12))])}}.Encode()
		}},
		{"others", func(r *rand.Rand) string {
			return lang(r) + pick(r, []string{"changes", "runs", "profile", "survival", "sectors", "neighborhoods"})
		}},
		{"chart as CSV", func(r *rand.Rand) string { return "/data/overview/months.csv?from=" + month(r) }},
	}
	return nil
}

// column reads a column of a CSV file, without empty values.
func (b *pagesBench) column(ctx context.Context, path, name string) ([]string, error) {
	body, status, err := b.get(ctx, path)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s: %s", http.StatusText(status), strings.TrimSpace(string(body)))
	}
	if err != nil {
		return nil, fmt.Errorf("%s%s: %w (is the stack of `demo` running? --url says where)", b.URL, path, err)
	}
	lines, err := csv.NewReader(strings.NewReader(string(body))).ReadAll()
	if err != nil || len(lines) < 2 {
		return nil, fmt.Errorf("%s: no rows", path)
	}
	at := slices.Index(lines[0], name)
	var values []string
	for _, line := range lines[1:] {
		if at >= 0 && line[at] != "" {
			values = append(values, line[at])
		}
	}
	if len(values) == 0 {
		return nil, fmt.Errorf("%s: nothing in column %s", path, name)
	}
	return values, nil
}

func (b *pagesBench) get(ctx context.Context, path string) ([]byte, int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.URL+path, http.NoBody)
	if err != nil {
		return nil, 0, err
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return body, resp.StatusCode, err
}

// phase sends requests at the rate, whether earlier answers have come or not.
func (b *pagesBench) phase(ctx context.Context, name string) error {
	r := rand.New(rand.NewPCG(1, uint64(len(b.measured)))) //nolint:gosec // the same addresses in every benchmark
	var (
		mu      sync.Mutex
		answers []answer
		all     sync.WaitGroup
	)
	ticker := time.NewTicker(time.Duration(float64(time.Second) / b.Rate))
	defer ticker.Stop()
	for end := time.Now().Add(b.Length); time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
		kind := b.kinds[r.IntN(len(b.kinds))]
		a := answer{kind: kind.name, path: kind.make(r)}
		all.Go(func() {
			start := time.Now()
			_, status, err := b.get(ctx, a.path)
			a.took, a.failed = time.Since(start), err != nil || status != http.StatusOK
			mu.Lock()
			defer mu.Unlock()
			answers = append(answers, a)
		})
	}
	all.Wait()
	if len(answers) == 0 {
		return fmt.Errorf("no request was made: --for %s is too short for --rate %g", b.Length, b.Rate)
	}
	b.measured = append(b.measured, phaseOf(name, "all", answers))
	for _, kind := range b.kinds {
		of := slices.DeleteFunc(slices.Clone(answers), func(a answer) bool { return a.kind != kind.name })
		if len(of) > 0 {
			b.measured = append(b.measured, phaseOf(name, kind.name, of))
		}
	}
	return nil
}

// answer is the outcome of a request.
type answer struct {
	kind, path string
	took       time.Duration
	failed     bool
}

// phaseOf sums up answers, at least one.
func phaseOf(name, kind string, answers []answer) phase {
	slices.SortFunc(answers, func(a, b answer) int { return cmp.Compare(a.took, b.took) })
	at := func(q float64) float64 {
		return float64(answers[min(len(answers)-1, int(q*float64(len(answers))))].took.Microseconds()) / 1000
	}
	p := phase{Name: name, Kind: kind, Requests: len(answers), P50: at(0.5), P99: at(0.99), Max: at(1), Slowest: answers[len(answers)-1].path}
	paths := map[string]bool{}
	for _, a := range answers {
		paths[a.path] = true
		if a.failed {
			p.Failed++
		}
	}
	p.Addresses = len(paths)
	return p
}
