package main

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

	"github.com/spf13/cobra"
)

// pagesBench asks a dashboard for pages, as many readers do.
type pagesBench struct {
	url    string
	rate   float64 // requests a second
	length time.Duration
	sync   bool

	client   *http.Client
	kinds    []pageKind // each as often as the others
	measured []phase
}

// pageKind is a kind of page, and makes addresses of it.
type pageKind struct {
	name string
	make func(*rand.Rand) string
}

// phase is what the requests of one phase took, all of them or those of one kind.
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

func benchPagesCommand(data *string) *cobra.Command {
	b := &pagesBench{}
	var format string
	cmd := &cobra.Command{
		Use:   "bench-pages",
		Short: "Measure how fast a running dashboard answers",
		Long: "Asks the dashboard of this checkout's running stack (demo) for pages, searches, rows and data, thousands of different\n" +
			"addresses in no order and at a steady rate, and says how long whole answers took. With --sync it does so again while\n" +
			"a full run compares and writes the mirror.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "table" && format != "json" {
				return fmt.Errorf("%w: -o %s: use table or json", errUsage, format)
			}
			if b.rate <= 0 || b.length <= 0 {
				return fmt.Errorf("%w: --rate and --for must be above 0", errUsage)
			}
			if err := b.run(cmd.Context(), *data); err != nil {
				return err
			}
			if format == "json" {
				return json.NewEncoder(os.Stdout).Encode(b.measured)
			}
			w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
			fmt.Fprintln(w, "phase\tpages\trequests\taddresses\tfailed\tp50 ms\tp99 ms\tmax ms\t  slowest")
			for _, p := range b.measured {
				fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%.1f\t%.1f\t%.1f\t  %s\n", p.Name, p.Kind, p.Requests, p.Addresses, p.Failed, p.P50, p.P99, p.Max, p.Slowest)
			}
			return w.Flush()
		},
	}
	cmd.Flags().StringVar(&b.url, "url", "http://"+address(defaultPorts()[portDashboard]), "where the dashboard is")
	cmd.Flags().Float64Var(&b.rate, "rate", 20, "requests a second")
	cmd.Flags().DurationVar(&b.length, "for", time.Minute, "how long each phase is")
	cmd.Flags().BoolVar(&b.sync, "sync", false, "measure during a full run too")
	cmd.Flags().StringVarP(&format, "output", "o", "table", "table or json")
	return cmd
}

func (b *pagesBench) run(ctx context.Context, data string) error {
	b.url = strings.TrimSuffix(b.url, "/")
	b.client = &http.Client{Timeout: 30 * time.Second}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	if err := b.phase(ctx, "idle"); err != nil || !b.sync {
		return err
	}
	dirs, err := findDirs(data)
	if err != nil {
		return err
	}
	running, ok, err := runningStack(ctx, dirs)
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
	go func() { done <- keepRunning(ctx, dirs, running.Env) }()
	err = b.phase(ctx, "during runs")
	cancel()
	return errors.Join(err, <-done)
}

// keepRunning makes full runs until ctx ends.
func keepRunning(ctx context.Context, dirs Dirs, env []string) error {
	for ctx.Err() == nil {
		cmd := exec.CommandContext(ctx, dirs.File("bin/starter"), "run", "--wait", "--mode", "full")
		cmd.Dir, cmd.Env = dirs.Root, append(os.Environ(), env...)
		if out, err := cmd.CombinedOutput(); err != nil && ctx.Err() == nil {
			return fmt.Errorf("starter run: %w\n%s", err, out)
		}
	}
	return nil
}

// prepare learns names, words and keys from the dashboard's own data.
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
		return nil, fmt.Errorf("%s%s: %w (is the stack of `demo` running? --url says where)", b.url, path, err)
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
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+path, http.NoBody)
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

// phase asks at the rate, whether answers have come or not.
func (b *pagesBench) phase(ctx context.Context, name string) error {
	r := rand.New(rand.NewPCG(1, uint64(len(b.measured)))) //nolint:gosec // the same addresses in every benchmark
	var (
		mu      sync.Mutex
		answers []answer
		all     sync.WaitGroup
	)
	ticker := time.NewTicker(time.Duration(float64(time.Second) / b.rate))
	defer ticker.Stop()
	for end := time.Now().Add(b.length); time.Now().Before(end); {
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
		return fmt.Errorf("no request was made: --for %s is too short for --rate %g", b.length, b.rate)
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

// answer is what became of a request.
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
