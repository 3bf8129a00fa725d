package main_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
)

// complete asks what a shell would offer after a command line; the last
// argument is what was typed of the word. The directive is cobra's.
func (s *stack) complete(args ...string) (words []string, directive string) {
	s.t.Helper()
	r := s.starter(append([]string{"__complete"}, args...)...)
	require.Zero(s.t, r.code, r.errors)
	lines := strings.Split(strings.TrimSuffix(r.out, "\n"), "\n")
	require.NotContains(s.t, r.errors, "starter:", "errors are silent")
	return lines[:len(lines)-1], lines[len(lines)-1]
}

const (
	noFiles       = ":36" // no files, and the order as given
	noFilesAtAll  = ":4"
	filesAreTaken = ":0"
)

func TestCompletion(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(300, 87))
	s.maxRemovals("3")
	s.worker()
	green := s.load()
	keyless := s.row(s.someKeys(20)[19])
	delete(keyless, "ttxid")
	doubled := s.someKeys(20)[18]
	require.NoError(t, s.portal.Edit(portalsim.Open(keyless), portalsim.Open(s.row(doubled))))
	s.delete(s.someKeys(5)...)
	held := s.starter("run", "--wait")
	require.Equal(t, notGreen, held.code, held.errors)
	run, ok := s.newest()
	require.True(t, ok)

	for _, command := range []string{"status", "watch"} {
		words, directive := s.complete(command, "")
		require.Equal(t, noFiles, directive)
		require.Len(t, words, 2, "%v", words)
		require.Regexp(t, "^"+run.ID+"\tred, holds 5 removals, 20", words[0], "newest first")
		require.Regexp(t, "^"+green.Run+"\tgreen, 20", words[1])
		words, _ = s.complete(command, green.Run[:len(green.Run)-1])
		require.Len(t, words, 1, "what was typed chooses")
		words, directive = s.complete(command, green.Run, "")
		require.Empty(t, words, "one is enough")
		require.Equal(t, noFilesAtAll, directive)
	}
	words, _ := s.complete("approve", "")
	require.Len(t, words, 1)
	require.Regexp(t, "^"+run.ID+"\t", words[0])
	words, _ = s.complete("rerun", "")
	require.Len(t, words, 1, "only the newest crawl can be rerun")
	require.Regexp(t, "^"+run.ID+"\t", words[0])
	words, _ = s.complete("quarantine", "list", "--run", "")
	require.Len(t, words, 2)

	words, directive := s.complete("quarantine", "show", "")
	require.Equal(t, noFiles, directive)
	require.Len(t, words, 2, "%v", words)
	require.Contains(t, strings.Join(words, "\n"), doubled+"\t")
	words, _ = s.complete("quarantine", "retry", "")
	require.Len(t, words, 1, "a row without a key cannot be asked for")
	words, _ = s.complete("quarantine", "retry", doubled, "")
	require.Empty(t, words, "it is named already")

	words, _ = s.complete("snapshots", "show", "")
	require.Len(t, words, 3, "%v", words)
	require.Regexp(t, `^latest\t\d{4}-`, words[0])
	// Between the city's midnight and the hour that the portal is updated they are of
	// two days, else of one.
	listed := strings.Join(words[1:], "\n")
	require.Regexp(t, `(?m)-observed\tobserved, .* locations open$`, listed)
	require.Regexp(t, `(?m)-observed-red\tobserved, .* locations open$`, listed)

	for _, line := range [][]string{{"dataset", "show", ""}, {"dataset", "check", "sf"}, {"status", "--dataset", ""}} {
		words, directive = s.complete(line...)
		require.Equal(t, filesAreTaken, directive, "a spec may be a file")
		require.Contains(t, words, "sf-business\tRegistered Business Locations, San Francisco")
	}
	for line, want := range map[string]string{
		"rerun X --from ":      "aggregate_snapshot\tonly count the mirror anew|clean\tclean the pages anew, then all else|gate\tcheck the crawl anew and write it",
		"run --mode ":          "auto\tskip when the portal has nothing new|full\tcrawl even if the portal has nothing new",
		"status -o ":           "table|json",
		"changes --output ":    "table|json|ndjson",
		"changes --cause s":    "source|schema",
		"changes --kind re":    "reopened|renamed|removed|returned",
		"dag --job re":         "rerun|retry|reload|reconstruct",
		"status --outcome ":    "green|red|unproven|behind|skipped|failed|cancelled",
		"status --namespace ":  "",
		"completion ba":        "bash\tPrint what bash needs to complete the commands of starter",
		"dag --job rerun -o m": "mermaid",
	} {
		words, _ := s.complete(strings.Split(line, " ")...)
		require.Equal(t, want, strings.Join(words, "|"), line)
	}

	// Running runs, from Temporal.
	words, _ = s.complete("cancel", "")
	require.Empty(t, words, "none is running")
	reached, release := s.hold()
	started := strings.TrimSuffix(strings.Fields(s.ok("run"))[2], ";")
	<-reached
	words, _ = s.complete("cancel", "")
	require.Equal(t, []string{started + "\trunning"}, words)
	release()
	s.ok("cancel", started, "--wait")

	// A shell must not be told about servers that are away.
	s.env["MONGODB_URI"], s.env["TEMPORAL_ADDRESS"] = "mongodb://"+nobody, nobody
	for _, line := range [][]string{{"status", ""}, {"cancel", ""}, {"snapshots", "show", ""}, {"quarantine", "show", ""}, {"approve", ""}} {
		words, directive = s.complete(line...)
		require.Empty(t, words)
		require.Equal(t, noFiles, directive)
	}
	s.env["PADRON_DATASET"] = "nowhere"
	words, _ = s.complete("status", "")
	require.Empty(t, words)
}

// TestCompletionScripts are there for each shell.
func TestCompletionScripts(t *testing.T) {
	t.Parallel()
	s := &stack{t: t, env: map[string]string{"HOME": t.TempDir()}}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		require.Contains(t, s.ok("completion", shell), "__complete", shell)
	}
}
