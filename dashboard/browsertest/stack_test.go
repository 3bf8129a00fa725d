package browsertest_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"padron/dashboard"
	"padron/internal/dataset"
	"padron/internal/mongodb"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/query"
	"padron/internal/statistics"
	"padron/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// rows is the size of the simulated register: enough for every chart to have
// something to show.
var rows = flag.Int("rows", 6000, "rows of the simulated register")

const (
	prefix = "padronweb" // of the databases
	soon   = time.Minute
	// runTakes is how long a whole run may take, on a machine that is busy with
	// other tests.
	runTakes = 5 * time.Minute
)

// stack is a register that real programs mirror, and a dashboard over it.
type stack struct {
	t        *testing.T
	spec     *dataset.Spec
	portal   *portalsim.Portal
	reader   *query.Reader
	database *mongo.Database
	origin   string                                                // of the dashboard
	served   func(change func(*dashboard.Options)) (origin string) // serves it with other options
	bin      string
	env      []string
}

// newStack mirrors a register: a first load, its history, and a day of changes.
// It skips the test when the servers' addresses are not set.
func newStack(t *testing.T) *stack {
	t.Helper()
	uri := testenv.MongoDB(t)
	testenv.Temporal(t) // the programs read it from the environment
	name := "w" + bson.NewObjectID().Hex()[14:]
	s := &stack{t: t}

	text, err := os.ReadFile("../../internal/dataset/specs/sf-business.yaml")
	require.NoError(t, err)
	text = bytes.Replace(text, []byte("\nhistory: "), []byte("\n# history: "), 1) // the tests make their own
	file := filepath.Join(t.TempDir(), name+".yaml")
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(text), "name: sf-business", "name: "+name, 1)), 0o600))
	s.spec, err = dataset.Open(file)
	require.NoError(t, err)
	s.portal, err = portalsim.New(portalsim.Options{Table: register.Generate(*rows, 1906), Updated: time.Now().Add(-3 * 24 * time.Hour)})
	require.NoError(t, err)
	portal := httptest.NewServer(s.portal)
	t.Cleanup(portal.Close)
	s.env = append(os.Environ(),
		"HOME="+t.TempDir(), "MONGODB_DATABASE="+prefix, "PADRON_DATASET="+file, "PADRON_PORTAL_URL="+portal.URL,
		"PADRON_TASK_QUEUE="+name, "PADRON_HEALTH_ADDR=127.0.0.1:0", "PADRON_REQUESTS_PER_SECOND=50", "PADRON_DASHBOARD_ADDR=", "PADRON_RECRAWL_AFTER=2s",
	)

	client, err := mongodb.Connect(t.Context(), uri)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		require.NoError(t, client.Database(prefix+"_"+name).Drop(ctx))
		require.NoError(t, client.Disconnect(ctx))
	})
	s.fill()
	s.reader, err = query.Open(t.Context(), client, prefix, name)
	require.NoError(t, err)
	s.database = client.Database(s.reader.DatabaseName())
	s.serve(client, name)
	return s
}

// fill runs the real programs.
func (s *stack) fill() {
	s.t.Helper()
	var err error
	s.bin, err = testenv.Programs(s.t.Context(), s.t.TempDir())
	require.NoError(s.t, err)
	s.starter("setup")
	worker := exec.CommandContext(context.WithoutCancel(s.t.Context()), filepath.Join(s.bin, "worker"))
	worker.Env, worker.Dir = s.env, s.t.TempDir()
	require.NoError(s.t, worker.Start())
	s.t.Cleanup(func() {
		_ = worker.Process.Kill() // it may have ended
		_ = worker.Wait()
	})
	s.starter("run", "--wait")
	s.starter("backfill", "--since", "2025-06-01", "--every", "month")
	s.edit()
	s.starter("run", "--wait")
}

// edit makes a day's changes in the register: something of each kind.
func (s *stack) edit() {
	s.t.Helper()
	var open []string
	for row := range s.portal.SourceRows() {
		key, _ := row["ttxid"].(string)
		if row["location_end_date"] == nil && row["dba_end_date"] == nil && row["administratively_closed"] == nil && key != "" {
			if open = append(open, key); len(open) == 40 {
				break
			}
		}
	}
	require.Len(s.t, open, 40)
	closed := time.Now().UTC().AddDate(0, 0, -3)
	var ops []portalsim.Op
	for i, key := range open[:36] {
		switch i % 3 {
		case 0:
			ops = append(ops, portalsim.Rename(key, fmt.Sprintf("Casa Nueva %d", i)))
		case 1:
			ops = append(ops, portalsim.Close(key, closed))
		case 2:
			ops = append(ops, portalsim.SetField(key, "full_business_address", fmt.Sprintf("%d Valencia St", 500+i)))
		}
	}
	opened := s.portal.Row(open[36])
	for column := range opened {
		// The publisher sets these, for all rows at once.
		if strings.HasPrefix(column, ":") || strings.HasPrefix(column, "data_") {
			delete(opened, column)
		}
	}
	opened["ttxid"], opened["dba_name"], opened["location_start_date"] = "9999999-01-261", openedName, closed.Format("2006-01-02T15:04:05.000")
	ops = append(ops, portalsim.Open(opened), portalsim.Delete(open[37]))
	// A day has one snapshot: this is of another day than the first load.
	require.NoError(s.t, s.portal.EditAt(time.Now().Add(-24*time.Hour), ops...))
}

// openedName is a business that opened between the two runs.
const openedName = "Brand New Bakery"

// starter runs a command line that must succeed.
func (s *stack) starter(args ...string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), runTakes)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "starter"), args...)
	cmd.Env, cmd.Dir = s.env, s.t.TempDir()
	begun := time.Now()
	out, err := cmd.CombinedOutput()
	s.t.Logf("starter %s took %s", strings.Join(args, " "), time.Since(begun).Round(time.Millisecond))
	require.NoError(s.t, err, "starter %s\n%s", strings.Join(args, " "), out)
	return string(out)
}

// serve serves the dashboard from this process.
func (s *stack) serve(client *mongo.Client, name string) {
	s.t.Helper()
	t := s.t
	s.served = func(change func(*dashboard.Options)) string {
		o := dashboard.Options{
			Spec: s.spec, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
			Open: func(ctx context.Context) (*query.Reader, error) {
				return query.Open(ctx, client, prefix, name)
			},
		}
		change(&o)
		d, err := dashboard.New(o)
		require.NoError(t, err)
		server := httptest.NewServer(d.Handler())
		t.Cleanup(server.Close)
		return server.URL
	}
	s.origin = s.served(func(*dashboard.Options) {})
}

// series reads a series of the newest observed snapshot.
func series[T any](s *stack, name string) T {
	s.t.Helper()
	snaps, err := s.reader.Statistics.Snapshots(s.t.Context(), 1, statistics.Observed)
	require.NoError(s.t, err)
	require.Len(s.t, snaps, 1)
	var v T
	require.NoError(s.t, s.reader.Statistics.SeriesOf(s.t.Context(), &snaps[0], name, &v))
	return v
}
