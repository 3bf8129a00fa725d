package main_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/runs"
	starter "padron/starter"
)

// commands are all commands that do something, by what is typed after starter.
func commands() map[string]*cobra.Command {
	all := map[string]*cobra.Command{}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
		if cmd.HasParent() && cmd.Name() != "help" {
			all[strings.TrimPrefix(cmd.CommandPath(), "starter ")] = cmd
		}
	}
	walk(starter.Root())
	return all
}

// onlyActs are the commands that show nothing to be read by a program: their
// exit code says it all. All others must take -o json.
var onlyActs = map[string]bool{
	"setup": true, "dashboard": true, "schedule pause": true, "schedule resume": true, "schedule trigger": true, "schedule delete": true,
	"backfill pause": true, "backfill resume": true, "backfill cancel": true,
	"completion bash": true, "completion zsh": true, "completion fish": true, "completion powershell": true,
}

// TestEveryCommandTeaches holds each command to what its help must say.
func TestEveryCommandTeaches(t *testing.T) {
	t.Parallel()
	for line, cmd := range commands() {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			assert.Regexp(t, `^[A-Z].{10,80}[^.]$`, cmd.Short, "one plain sentence without its full stop")
			require.NotEmpty(t, cmd.Example)
			for example := range strings.Lines(cmd.Example) {
				assert.Regexp(t, `^  \S`, example, "indented by two, as cobra prints it")
			}
			assert.Contains(t, cmd.Example, "starter "+strings.Fields(line)[0], "an example is of the command itself")
			flag := cmd.Flags().Lookup("output")
			if cmd.HasSubCommands() && flag == nil {
				return // a group
			}
			if onlyActs[line] {
				assert.Nil(t, flag, "then it is not one of those that only act")
				return
			}
			require.NotNil(t, flag, "-o json is missing")
			assert.Equal(t, "o", flag.Shorthand)
			assert.Contains(t, flag.Usage, "json")
			_, ok := cmd.GetFlagCompletionFunc("output")
			assert.True(t, ok)
		})
	}
	for line := range onlyActs {
		assert.Contains(t, commands(), line, "there is no such command any longer")
	}
}

// TestEveryCommandPrintsJSON calls each of the commands that print something on
// the real servers. A command that is added must be called here.
func TestEveryCommandPrintsJSON(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(400, 90))
	s.maxRemovals("3")
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(receiver.Close)
	s.env["PADRON_WEBHOOK_URL"] = receiver.URL
	s.env["PADRON_DASHBOARD_TOKEN"] = "0123456789abcdef"
	s.worker()
	first := s.load()
	keys := s.someKeys(6)
	require.NoError(t, s.portal.Edit(portalsim.Rename(keys[0], "ANOTHER NAME"), portalsim.Open(s.row(keys[0]))))
	s.delete(keys[1:]...)      // more than may be removed
	s.starter("run", "--wait") // green or not, there is something to list then
	quarantined := s.quarantinedID()
	reached, release := s.hold()
	s.ok("run", "--mode", "full")
	<-reached
	running, ok := s.newest()
	require.True(t, ok)

	calls := []struct {
		line  string
		codes []int // 0 where none is given
	}{
		{"status", nil},
		{"status " + running.ID, nil},
		{"status --outcome green --since 1h", nil},
		{"changes --since 1h", nil},
		{"quarantine list", nil},
		{"quarantine show " + quarantined, nil},
		{"snapshots list", nil},
		{"snapshots show latest", nil},
		{"dataset list", nil},
		{"dataset show", nil},
		{"dataset check", nil},
		{"dataset dictionary", nil},
		{"dataset schema", nil},
		{"export", nil},
		{"share /changes.rss", nil},
		{"snapshots diff latest latest", nil},
		{"alerts", nil},
		{"workers", nil},
		{"alerts test", nil},
		{"schedule apply --dry-run", nil},
		{"schedule apply", nil},
		{"schedule list", nil},
		{"schedule show", nil},
		{"backfill list", nil},
		{"dag", nil},
		{"doctor", []int{0, failed}}, // two rows share a key
		{"watch " + first.Run, nil},
		{"cancel " + running.ID + " --wait", nil},
		{"run", nil},
		// What writes waits for the run before it.
		{"run --wait", []int{0, notGreen}},
		{"backfill --since 2026-01-01 --until 2026-03-01 --dry-run", nil},
		{"verify", []int{0, notGreen}},
		{"approve HELD --wait=false", nil},
		{"rerun HELD --from clean --wait=false", nil},
		{"quarantine retry --wait=false", nil},
		{"backfill --since 2026-01-01 --until 2026-03-01", []int{0, notGreen}},
		{"backfill status NEWEST", nil},
		{"watch NEWEST", []int{0, notGreen}},
	}
	// What is promoted takes a deployment: TestARunEndsWithTheBuildThatItBeganWith
	// reads its JSON.
	called := map[string]bool{"workers promote": true}
	for _, c := range calls {
		if c.line == "run" {
			release()
		}
		if before, ok := strings.CutSuffix(c.line, "NEWEST"); ok {
			c.line = before + s.newestBackfill()
		}
		r := s.starter(append(strings.Fields(strings.Replace(c.line, "HELD", s.newestHeld(), 1)), "-o", "json")...)
		if len(c.codes) == 0 {
			c.codes = []int{0}
		}
		require.Contains(t, c.codes, r.code, "%s: %s", c.line, r.errors)
		require.True(t, json.Valid([]byte(r.out)), "%s: %s", c.line, r.out)
		called[c.line] = true
	}
	for line, cmd := range commands() {
		if cmd.Flags().Lookup("output") == nil {
			continue
		}
		found := false
		for c := range called {
			found = found || c == line || strings.HasPrefix(c, line+" ")
		}
		require.True(t, found, "starter %s is not called by this test: add a line that calls it with -o json", line)
	}
}

// newestHeld is the id of the newest crawl, which holds removals.
func (s *stack) newestHeld() string {
	s.t.Helper()
	run, err := runs.OrNone(s.reader().Runs.LastCrawl(s.t.Context()))
	require.NoError(s.t, err)
	return run.ID
}

// newestBackfill is the id of a backfill.
func (s *stack) newestBackfill() string {
	s.t.Helper()
	var backfills []struct{ ID string }
	s.readJSON(&backfills, "backfill", "list")
	require.NotEmpty(s.t, backfills)
	return backfills[0].ID
}

// quarantinedID is the id of a row in quarantine.
func (s *stack) quarantinedID() string {
	s.t.Helper()
	var rows []struct{ ID string }
	s.readJSON(&rows, "quarantine", "list")
	require.NotEmpty(s.t, rows)
	return rows[0].ID
}

// TestExitCodes has one command line for each class of error, and of success.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	t.Run("without servers", func(t *testing.T) {
		t.Parallel()
		s := &stack{t: t, env: map[string]string{"HOME": t.TempDir(), "MONGODB_URI": "mongodb://" + nobody, "TEMPORAL_ADDRESS": nobody}}
		for class, c := range map[string]struct {
			line string
			code int
			want string
		}{
			"help":                      {"--help", 0, ""},
			"help of a command":         {"help watch", 0, ""},
			"no command":                {"", 0, ""},
			"a group":                   {"snapshots", 0, ""},
			"what needs no server":      {"dag --job approve", 0, ""},
			"completion":                {"completion fish", 0, ""},
			"unknown command":           {"wacth", usage, `unknown command "wacth"`},
			"unknown flag":              {"watch --now", usage, "unknown flag: --now; see `starter watch --help`"},
			"missing argument":          {"cancel", usage, "accepts 1 arg(s), received 0; see `starter cancel --help`"},
			"too many arguments":        {"watch a b", usage, "accepts at most 1 arg(s), received 2"},
			"unknown format":            {"watch -o yaml", usage, "use table or json"},
			"unknown format of a graph": {"dag -o table", usage, "use mermaid or json"},
			"wrong value":               {"status --outcome done", usage, `--outcome "done": use green, red, unproven, behind, skipped, failed or cancelled`},
			"wrong time":                {"status --since lately", usage, `--since "lately": use a day`},
			"unknown job":               {"dag --job run", usage, `--job "run": use mirror, rerun, approve, retry, verify, backfill, reload or reconstruct`},
			"unknown step":              {"dag --job rerun --from plan", usage, `--from "plan": use clean, gate or aggregate_snapshot`},
			"flags that exclude":        {"dag --from gate", usage, "--from is for --job rerun"},
			"run and --next":            {"watch manual-1 --next", usage, "--next waits for a run that has not started"},
			"run and filter":            {"status manual-1 --outcome red", usage, "leave them out to see one run"},
			"wrong setting":             {"watch --mongodb-uri localhost", usage, "MONGODB_URI: "},
			"Temporal is away":          {"watch", failed, "Temporal does not answer at " + nobody},
			"Temporal is away, cancel":  {"cancel manual-1", failed, "start it, or set TEMPORAL_ADDRESS"},
			"MongoDB is away":           {"status", failed, "MongoDB is not reachable at mongodb://" + nobody},
		} {
			t.Run(class, func(t *testing.T) {
				t.Parallel()
				r := s.starterWith(t, nil, strings.Fields(c.line)...)
				if c.code != 0 {
					requireOneLine(t, r, c.code, c.want)
					return
				}
				require.Zero(t, r.code, r.errors)
				require.Empty(t, r.errors)
				require.NotEmpty(t, r.out)
			})
		}
	})
	t.Run("of runs", func(t *testing.T) {
		t.Parallel()
		s := newStack(t, register.Generate(300, 91))
		s.maxRemovals("0")
		s.worker()
		requireOneLine(t, s.starter("cancel", "manual-1"), failed, `there is no run "manual-1"; `+"`starter status` lists them")
		requireOneLine(t, s.starter("watch", "manual-1"), failed, `there is no run "manual-1"; `+"`starter status` lists them")
		requireOneLine(t, s.starter("watch"), failed, "no run of "+s.name+" is running; `starter watch --next` waits for the next")

		green := s.load()
		requireOneLine(t, s.starter("cancel", green.Run), failed, "run "+green.Run+" has ended already (done green): there is nothing to cancel")
		require.Zero(t, s.starter("watch", green.Run).code)
		var skipped summary
		s.readJSON(&skipped, "run", "--wait")
		require.Equal(t, "skipped", skipped.Outcome)
		require.Zero(t, s.starter("watch", skipped.Run).code)

		s.delete(s.someKey())
		red := s.starter("run", "--wait")
		require.Equal(t, notGreen, red.code, red.errors)
		run, ok := s.newest()
		require.True(t, ok)
		watched := s.starter("watch", run.ID)
		require.Equal(t, notGreen, watched.code, watched.errors)
		require.Equal(t, lastLine(red.errors), watched.errors, "the same is said of it later")

		s.portal.Fail(portalsim.Fault{Path: "/resource/", Status: http.StatusForbidden, Times: -1})
		broken := s.starter("run", "--wait")
		require.Equal(t, failed, broken.code, broken.errors)
		run, ok = s.newest()
		require.True(t, ok)
		watched = s.starter("watch", run.ID, "-o", "json")
		require.Equal(t, failed, watched.code)
		require.Contains(t, watched.errors, "run "+run.ID+" failed: ")
		require.True(t, json.Valid([]byte(watched.out)), watched.out)

		// What ended how is one list each.
		for ending, want := range map[string]int{"green": 1, "skipped": 1, "red": 1, "failed": 1, "cancelled": 0, "behind": 0} {
			var runs []struct{ ID string }
			s.readJSON(&runs, "status", "--outcome", ending)
			require.Len(t, runs, want, ending)
			s.readJSON(&runs, "status", "--outcome", ending, "--since", time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
			require.Empty(t, runs)
		}
		require.Equal(t, "no such runs; `starter status` lists the newest of all\n", s.ok("status", "--outcome", "cancelled"))
	})
}
