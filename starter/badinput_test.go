package main_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"

	"padron/internal/portalsim/register"
)

const (
	failed   = 1
	usage    = 2
	notGreen = 3
)

// nobody is an address where nothing listens.
const nobody = "127.0.0.1:1"

// TestAWrongSettingIsOneLine needs no servers: settings are checked before
// anything is connected to.
func TestAWrongSettingIsOneLine(t *testing.T) {
	t.Parallel()
	s := &stack{t: t, env: map[string]string{"HOME": t.TempDir(), "MONGODB_URI": "mongodb://" + nobody, "TEMPORAL_ADDRESS": nobody}}
	for name, c := range map[string]struct{ value, want string }{
		"MONGODB_URI":                {"localhost:27017", "must look like mongodb://HOST:PORT/"},
		"MONGODB_DATABASE":           {"a b", "use 1 to 32 letters, digits, - or _"},
		"PADRON_PORTAL_URL":          {"data.sf.gov", "must look like https://data.sf.gov"},
		"PADRON_APP_TOKEN":           {"sec ret", "has white space"},
		"PADRON_LANDING":             {"s3:bucket", "must be gridfs or dir:PATH"},
		"PADRON_KEEP_CRAWLS":         {"0", "at least 1"},
		"PADRON_PAGE_SIZE":           {"50001", "must be 1 to 50000"},
		"PADRON_REQUESTS_PER_SECOND": {"four", "must be a number"},
		"PADRON_HEALTH_ADDR":         {"9090", "must look like 127.0.0.1:9090"},
		"PADRON_DASHBOARD_ADDR":      {":8080", "the dashboard would be open to other machines"},
		"PADRON_DASHBOARD_TOKEN":     {"short", "must have at least 16 characters"},
		"PADRON_LOG_LEVEL":           {"loud", "must be debug, info, warn or error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := []string{name + "=" + c.value}
			requireOneLine(t, s.starterWith(t, env, "run", "--wait"), usage, "starter: "+name+": ", c.want)
			requireOneLine(t, s.start(t, "worker", env).result(), usage, "worker: "+name+": ", c.want)
		})
	}
	t.Run("a misspelled variable is warned of", func(t *testing.T) {
		t.Parallel()
		r := s.starterWith(t, []string{"PADRON_APP_TOKN=sec ret"}, "dag")
		require.Zero(t, r.code)
		require.Equal(t, "starter: warning: PADRON_APP_TOKN is no setting and has no effect: did you mean PADRON_APP_TOKEN?\n", r.errors)
	})
	for name, c := range map[string]struct {
		value string
		want  []string
	}{
		"unknown name":        {"chicago", []string{`no dataset "chicago"`, "known datasets: sf-business", "path of a spec"}},
		"misspelled id":       {"q8m3-pdis", []string{"did you mean g8m3-pdis"}},
		"page of another one": {"https://data.cityofchicago.org/d/r5kz-chrr", []string{"no known dataset is published on https://data.cityofchicago.org", "give the path of a spec"}},
		"no such file":        {"./nowhere.yaml", []string{"nowhere.yaml", "no such file"}},
		"unknown key": {specFile(t, "typo", func(spec string) string {
			return strings.Replace(spec, "key: ttxid\n", "kee: ttxid\n", 1)
		}), []string{"typo.yaml:11:1: ", `unknown key "kee"`, "known keys: ", "key"}},
	} {
		t.Run("PADRON_DATASET "+name, func(t *testing.T) {
			t.Parallel()
			env := []string{"PADRON_DATASET=" + c.value}
			requireOneLine(t, s.starterWith(t, env, "run", "--wait"), usage, c.want...)
			requireOneLine(t, s.starterWith(t, nil, "status", "--dataset", c.value), usage, c.want...)
			requireOneLine(t, s.starterWith(t, nil, "dataset", "check", c.value), usage, c.want...)
			requireOneLine(t, s.start(t, "worker", env).result(), usage, c.want...)
		})
	}
	for line, want := range map[string]string{
		"run --mode fast":                  `--mode "fast": use auto or full`,
		"run now":                          `unknown command "now" for "starter run"; see ` + "`starter run --help`",
		"run --waiting":                    "unknown flag: --waiting; see `starter run --help`",
		"status -o yaml":                   "use table or json; see `starter status --help`",
		"run -o yaml":                      "use table or json; see `starter run --help`",
		"status --limit 0":                 "--limit 0: must be at least 1",
		"status a b":                       "accepts at most 1 arg(s), received 2; see `starter status --help`",
		"snapshots show":                   "accepts 1 arg(s), received 0; see `starter snapshots show --help`",
		"snapshots list -n -1":             "--limit -1: must be at least 1",
		"snapshots list --basis seen":      `--basis "seen": use observed or reconstructed`,
		"snapshots diff latest":            "accepts 2 arg(s), received 1; see `starter snapshots diff --help`",
		"changes":                          "say since when: --since 7d, --since 2026-11-01; or of which row: --key KEY",
		"changes --since soon":             `--since "soon": use a day (2026-11-20), a moment (2026-11-20T06:00:00Z) or how long ago (7d, 12h)`,
		"changes --since 2026-02-30":       `--since "2026-02-30": use a day`,
		"changes --since -7d":              `--since "-7d": use a day`,
		"changes --since 7d --until today": `--until "today": use a day`,
		"changes --since 2026-11-02 --until 2026-11-01": "--until 2026-11-01 is not after --since 2026-11-02",
		"changes --since 7d --kind new":                 `--kind "new": use opened, closed, reopened, moved, renamed, removed, returned or updated`,
		"changes --since 7d --cause portal":             `--cause "portal": use source, rules, schema, repair or all`,
		"changes --since 7d -o csv":                     "use table, json or ndjson; see `starter changes --help`",
		"quarantine list -n 0":                          "--limit 0: must be at least 1",
		"quarantine list -o ndjson":                     "use table or json; see `starter quarantine list --help`",
		"quarantine show":                               "accepts 1 arg(s), received 0; see `starter quarantine show --help`",
		"approve":                                       "accepts 1 arg(s), received 0; see `starter approve --help`",
		"rerun manual-1":                                `--from "": use clean, gate or aggregate_snapshot`,
		"rerun manual-1 --from fetch":                   `--from "fetch": use clean, gate or aggregate_snapshot`,
		"verify all":                                    `unknown command "all" for "starter verify"; see ` + "`starter verify --help`",
		"launch":                                        `unknown command "launch" for "starter"; see ` + "`starter --help`",
	} {
		t.Run("starter "+line, func(t *testing.T) {
			t.Parallel()
			requireOneLine(t, s.starterWith(t, nil, strings.Fields(line)...), usage, want)
		})
	}
	t.Run("worker --help", func(t *testing.T) {
		t.Parallel()
		r := s.start(t, "worker", nil, "--help").result()
		require.Zero(t, r.code)
		require.Empty(t, r.errors)
		require.Contains(t, r.out, "MONGODB_URI, TEMPORAL_ADDRESS and PADRON_DATASET")
	})
	t.Run("worker --help-me", func(t *testing.T) {
		t.Parallel()
		requireOneLine(t, s.start(t, "worker", nil, "--help-me").result(), usage, "takes no arguments", "environment")
	})
	t.Run("PADRON_LANDING that cannot be made", func(t *testing.T) {
		t.Parallel()
		file := specFile(t, "file", nil)
		requireOneLine(t, s.start(t, "worker", []string{"PADRON_LANDING=dir:" + file + "/landing"}).result(), usage, "PADRON_LANDING", "choose a folder")
	})
}

// TestAServerThatIsNotThereIsOneLine leaves out one server after the other.
func TestAServerThatIsNotThereIsOneLine(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(50, 21))
	s.worker()

	mongo := []string{"MONGODB_URI=mongodb://padron:hush@" + nobody}
	for _, line := range []string{"run --wait", "setup", "status", "snapshots list", "changes --since 7d", "quarantine list", "verify"} {
		r := s.starterWith(t, mongo, strings.Fields(line)...)
		requireOneLine(t, r, failed, "MongoDB is not reachable at mongodb://"+nobody, "start it, or set MONGODB_URI", "connection refused")
		require.NotContains(t, r.errors, "hush")
	}
	requireOneLine(t, s.start(t, "worker", mongo).result(), failed, "MongoDB is not reachable at mongodb://"+nobody, "set MONGODB_URI")

	refused := strings.Replace(s.env["MONGODB_URI"], "://", "://padron:hush@", 1)
	if r := s.starterWith(t, nil, "status", "--mongodb-uri", refused); strings.Contains(r.errors, "refuses") { // a server without users may take any
		requireOneLine(t, r, failed, "refuses its user or password", "MONGODB_URI")
		require.NotContains(t, r.errors, "hush")
	}

	temporal := []string{"TEMPORAL_ADDRESS=" + nobody}
	for _, line := range []string{"run --wait", "setup", "schedule list", "schedule apply", "verify", "approve manual-1", "quarantine retry"} {
		requireOneLine(t, s.starterWith(t, temporal, strings.Fields(line)...), failed, "Temporal does not answer at "+nobody, "start it, or set TEMPORAL_ADDRESS")
	}
	requireOneLine(t, s.start(t, "worker", temporal).result(), failed, "Temporal does not answer at "+nobody, "set TEMPORAL_ADDRESS")
	requireOneLine(t, s.starter("run", "--wait", "--namespace", "nowhere"), failed, "no namespace nowhere", "TEMPORAL_NAMESPACE")

	requireOneLine(t, s.starter("run", "--wait", "--task-queue", s.name+"-idle"), failed, "no worker serves "+s.name, "polls the task queue "+s.name+"-idle/"+s.name, "start one with `worker`", "PADRON_TASK_QUEUE")

	portal := "http://" + nobody
	requireOneLine(t, s.starter("dataset", "check", "--portal-url", portal), failed, portal, "connection refused", "check the network and PADRON_PORTAL_URL")
	requireOneLine(t, s.starter("run", "--wait", "--portal-url", portal), failed, portal, "connection refused", "PADRON_PORTAL_URL")

	s.requireNothingWritten()
}

func TestAPortalWithoutTheDatasetIsOneLine(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(50, 22))
	// A spec with the misspelled id that is in circulation.
	s.env["PADRON_DATASET"] = specFile(t, s.name, func(spec string) string { return strings.Replace(spec, "id: g8m3-pdis", "id: q8m3-pdis", 1) })
	s.worker()
	for _, line := range []string{"dataset check", "run --wait"} {
		requireOneLine(t, s.starter(strings.Fields(line)...), failed, "/api/views/q8m3-pdis.json", "no such dataset (404)", "dataset.missing", "did you mean g8m3-pdis?")
	}
	s.requireNothingWritten()

	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html><title>Welcome</title>")) // the client's side shows what came
	}))
	t.Cleanup(web.Close)
	for _, line := range []string{"dataset check", "run --wait"} {
		requireOneLine(t, s.starter(append(strings.Fields(line), "--portal-url", web.URL)...), failed, "HTML", "PADRON_PORTAL_URL")
	}
	s.requireNothingWritten()
}

// TestSearchAttributesThatAreNotRegistered takes a namespace of its own, since
// attributes cannot be taken from one that others use.
func TestSearchAttributesThatAreNotRegistered(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(50, 23))
	namespace := "padron-" + s.name
	namespaces, err := client.NewNamespaceClient(client.Options{HostPort: s.env["TEMPORAL_ADDRESS"]})
	require.NoError(t, err)
	t.Cleanup(namespaces.Close)
	require.NoError(t, namespaces.Register(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: namespace, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	}))
	t.Cleanup(func() {
		_, err := s.temporal.OperatorService().DeleteNamespace(context.WithoutCancel(t.Context()), &operatorservice.DeleteNamespaceRequest{Namespace: namespace})
		require.NoError(t, err)
	})
	require.Eventually(t, func() bool {
		_, err := namespaces.Describe(t.Context(), namespace)
		return err == nil && strings.Contains(s.starter("run", "--namespace", namespace).errors, "lacks the search attributes")
	}, soon, time.Second, "the namespace never came up")

	want := []string{"the Temporal namespace " + namespace + " lacks the search attributes PadronDataset, PadronLogicalDate, PadronOutcome, PadronRowsChanged", "run `starter setup` once"}
	requireOneLine(t, s.starter("run", "--wait", "--namespace", namespace), failed, want...)
	requireOneLine(t, s.starter("schedule", "apply", "--namespace", namespace), failed, want...)
	requireOneLine(t, s.start(t, "worker", []string{"TEMPORAL_NAMESPACE=" + namespace}).result(), failed, want...)
	s.requireNothingWritten()

	s.env["TEMPORAL_NAMESPACE"] = namespace
	require.Contains(t, s.ok("setup"), "registered: PadronDataset, PadronLogicalDate, PadronOutcome, PadronRowsChanged")
	s.worker()
	require.Contains(t, s.ok("run", "--wait"), "green")
}

func TestAWorkerThatDoesNotKnowTheSpecIsOneLine(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(50, 28))
	s.worker("PADRON_DATASET=sf-business")
	requireOneLine(t, s.starter("run", "--wait"), failed, "no worker serves "+s.name, "start one with `worker`, its PADRON_DATASET naming "+s.name)
	s.requireNothingWritten()
}

func TestATakenPortIsOneLine(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(50, 24))
	taken, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // binding a port is immediate
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, taken.Close()) })
	r := s.start(t, "worker", []string{"PADRON_HEALTH_ADDR=" + taken.Addr().String()}).result()
	requireOneLine(t, r, failed, "PADRON_HEALTH_ADDR: "+taken.Addr().String()+" cannot be listened on", "choose a free address")
	s.requireNothingWritten()
}

// TestADatabaseOfSomebodyElseIsRefused: it is neither read nor written.
func TestADatabaseOfSomebodyElseIsRefused(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(50, 25))
	theirs := s.mongo.Database(s.database()).Collection("orders")
	_, err := theirs.InsertOne(t.Context(), bson.D{{Key: "_id", Value: 1}})
	require.NoError(t, err)
	s.worker()
	for _, line := range []string{"setup", "run --wait", "status", "snapshots list"} {
		requireOneLine(t, s.starter(strings.Fields(line)...), failed, s.database(), `the collection "orders"`, "use another MONGODB_DATABASE")
	}
	names, err := s.mongo.Database(s.database()).ListCollectionNames(t.Context(), bson.D{})
	require.NoError(t, err)
	require.Equal(t, []string{"orders"}, names)
}

// TestReadingCommandsCreateNothing before there is a mirror.
func TestReadingCommandsCreateNothing(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(50, 26))
	s.worker()
	for _, line := range []string{"status", "status manual-1", "status -o json", "snapshots list", "snapshots show latest"} {
		requireOneLine(t, s.starter(strings.Fields(line)...), failed, "there is no mirror of "+s.name+" yet", "`starter run --wait` makes it")
	}
	doctor := s.ok("doctor")
	require.Contains(t, doctor, "database "+s.database()+" is not created yet")
	require.NotContains(t, doctor, "FAILED")
	s.ok("dataset", "check")
	s.ok("dataset", "show")
	s.ok("schedule", "list")
	requireOneLine(t, s.starter("schedule", "pause"), failed, s.name+" has no schedule yet", "`starter schedule apply`")
	requireOneLine(t, s.starter("schedule", "trigger"), failed, s.name+" has no schedule yet", "`starter schedule apply`")
	s.requireNothingWritten()
}

// TestAPageOfThePortalIsTakenForItsDataset: people paste what their browser
// shows.
func TestAPageOfThePortalIsTakenForItsDataset(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(50, 27))
	for _, given := range []string{
		"g8m3-pdis",
		"https://data.sfgov.org/Economy-and-Community/Registered-Business-Locations-San-Francisco/g8m3-pdis",
		"https://data.sf.gov/Economy-and-Community/Registered-Business-Locations-San-Francisco/g8m3-pdis/about_data",
		s.env["PADRON_PORTAL_URL"] + "/d/g8m3-pdis",
	} {
		require.Contains(t, s.ok("dataset", "check", "--dataset", given), "the spec fits", given)
		require.Contains(t, s.ok("dataset", "show", given), "sf-business", given)
	}
	p := s.worker("PADRON_DATASET=https://data.sfgov.org/d/g8m3-pdis")
	require.Contains(t, p.errors.String(), "datasets=[sf-business]")
}
