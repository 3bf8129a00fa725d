package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"padron/activities"
	"padron/internal/dataset"
	"padron/internal/mirror"
)

const (
	// completeWithin is how long a shell waits for words to offer.
	completeWithin = 2 * time.Second
	// mostOffered is how many words are looked up.
	mostOffered = 100
)

// words lists what may stand in a place, best first. Whoever completes is
// typing: what goes wrong is not told, there is nothing to offer then.
type words func(cmd *cobra.Command, typed string) []cobra.Completion

// complete offers words and no files. They stay in the order given.
func complete(w words) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return offered(w(cmd, typed), typed), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

// completeFirst is complete for a command's one argument.
func completeFirst(w words) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return complete(w)(cmd, args, typed)
	}
}

// completeEach is complete for any number of arguments, each given once.
func completeEach(w words) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		all := slices.DeleteFunc(w(cmd, typed), func(c cobra.Completion) bool {
			word, _, _ := strings.Cut(c, "\t")
			return slices.Contains(args, word)
		})
		return offered(all, typed), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

// completeDataset offers the datasets that come with Padron, and files: a spec
// may be one.
func completeDataset(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 && cmd.HasParent() && cmd.Parent().Name() == "dataset" {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return offered(datasets(), typed), cobra.ShellCompDirectiveDefault
}

// offered are the words that begin with what was typed.
func offered(all []cobra.Completion, typed string) []cobra.Completion {
	return slices.DeleteFunc(all, func(c cobra.Completion) bool { return !strings.HasPrefix(c, typed) })
}

// completeFlag completes a flag's value. The flag must exist, and be completed
// once.
func completeFlag(cmd *cobra.Command, flag string, f cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err) // a mistake in this program
	}
}

// completeWords offers words that need no explanation.
func completeWords[S ~string](all ...S) cobra.CompletionFunc {
	return complete(func(*cobra.Command, string) []cobra.Completion {
		var list []cobra.Completion
		for _, w := range all {
			list = append(list, string(w))
		}
		return list
	})
}

// completeExplained offers words with what they mean, sorted.
func completeExplained(meanings map[string]string) cobra.CompletionFunc {
	return complete(func(*cobra.Command, string) []cobra.Completion {
		var list []cobra.Completion
		for _, w := range slices.Sorted(maps.Keys(meanings)) {
			list = append(list, cobra.CompletionWithDesc(w, meanings[w]))
		}
		return list
	})
}

func modeMeanings() map[string]string {
	return map[string]string{
		string(activities.Auto): "skip when the portal has nothing new",
		string(activities.Full): "crawl even if the portal has nothing new",
	}
}

func stepMeanings() map[string]string {
	return map[string]string{
		activities.FromClean:    "clean the pages anew, then all else",
		activities.FromGate:     "check the crawl anew and write it",
		activities.FromSnapshot: "only count the mirror anew",
	}
}

func datasets() []cobra.Completion {
	var list []cobra.Completion
	for _, name := range dataset.Names() {
		if spec, err := dataset.Open(name); err == nil {
			list = append(list, cobra.CompletionWithDesc(name, spec.Title))
		}
	}
	return list
}

// fromMirror looks words up in the mirror, within what a shell waits.
func fromMirror(cmd *cobra.Command, look func(ctx context.Context, m *mirror.Mirror) []cobra.Completion) (list []cobra.Completion) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	cmd.SetContext(ctx)
	// Errors are silent, see words.
	_ = withMirror(cmd, func(m *mirror.Mirror) error {
		list = look(ctx, m)
		return nil
	})
	return list
}

// completeRuns offers the newest runs, with what came of them.
func completeRuns(cmd *cobra.Command, _ string) []cobra.Completion {
	return runsWhere(cmd, func(*mirror.Run) bool { return true })
}

// completeHeld offers the runs that hold removals.
func completeHeld(cmd *cobra.Command, _ string) []cobra.Completion {
	return runsWhere(cmd, func(r *mirror.Run) bool { return r.Held.Rows > 0 })
}

func runsWhere(cmd *cobra.Command, wanted func(*mirror.Run) bool) []cobra.Completion {
	return fromMirror(cmd, func(ctx context.Context, m *mirror.Mirror) []cobra.Completion {
		runs, err := m.Runs(ctx, mostOffered, time.Time{})
		if err != nil {
			return nil
		}
		var list []cobra.Completion
		for i := range runs {
			if wanted(&runs[i]) {
				list = append(list, runOffered(&runs[i]))
			}
		}
		return list
	})
}

// runOffered is a run with what came of it.
func runOffered(r *mirror.Run) cobra.Completion {
	what := string(r.Ending())
	if what == "" {
		what = string(r.Status)
	}
	if r.Held.Rows > 0 {
		what += fmt.Sprintf(", holds %s removals", count(r.Held.Rows))
	}
	return cobra.CompletionWithDesc(r.ID, what+", "+moment(r.Started))
}

// completeCrawl offers the one run that can be rerun: the newest that crawled.
func completeCrawl(cmd *cobra.Command, _ string) []cobra.Completion {
	return fromMirror(cmd, func(ctx context.Context, m *mirror.Mirror) []cobra.Completion {
		run, err := m.LastCrawl(ctx)
		if err != nil {
			return nil
		}
		return []cobra.Completion{runOffered(&run)}
	})
}

// completeRunning offers the runs that Temporal runs.
func completeRunning(cmd *cobra.Command, _ string) []cobra.Completion {
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	c, err := settings(cmd)
	if err != nil {
		return nil
	}
	spec, err := openSpec(c)
	if err != nil {
		return nil
	}
	s := &start{config: c, spec: spec}
	if s.temporal, s.namespace, err = dialTemporal(ctx, c); err != nil {
		return nil
	}
	defer s.temporal.Close()
	running, err := s.runningRuns(ctx)
	if err != nil {
		return nil
	}
	var list []cobra.Completion
	for _, id := range running {
		list = append(list, cobra.CompletionWithDesc(id, "running"))
	}
	return list
}

// completeSnapshots offers the newest snapshots.
func completeSnapshots(cmd *cobra.Command, _ string) []cobra.Completion {
	return fromMirror(cmd, func(ctx context.Context, m *mirror.Mirror) []cobra.Completion {
		all, err := m.Snapshots(ctx, mostOffered)
		if err != nil || len(all) == 0 {
			return nil
		}
		list := []cobra.Completion{cobra.CompletionWithDesc("latest", all[0].ID)}
		for _, s := range all {
			list = append(list, cobra.CompletionWithDesc(s.ID, fmt.Sprintf("%s, %s locations open", s.Basis, count(s.Totals.Open))))
		}
		return list
	})
}

// completeQuarantined offers the keys of the newest crawl's quarantine. A row
// without one is named by its id where that is of use.
func completeQuarantined(ids bool) words {
	return func(cmd *cobra.Command, _ string) []cobra.Completion {
		return fromMirror(cmd, func(ctx context.Context, m *mirror.Mirror) []cobra.Completion {
			run, err := m.LastCrawl(ctx)
			if err != nil {
				return nil
			}
			rows, err := m.QuarantineOf(ctx, run.ID, "", mostOffered)
			if err != nil {
				return nil
			}
			var list []cobra.Completion
			seen := map[string]bool{}
			for _, r := range rows {
				word := r.Key
				if word == "" && ids {
					word = r.ID
				}
				if word == "" || word != plain(word) || seen[word] {
					continue
				}
				seen[word] = true
				list = append(list, cobra.CompletionWithDesc(word, plain(r.Reason)))
			}
			return list
		})
	}
}

// explainCompletion gives cobra's command examples, so that a newcomer need not
// read how each shell loads it.
func explainCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() != "completion" {
			continue
		}
		cmd.Short = "Make the shell complete commands, runs, datasets, keys, …"
		cmd.Example = `  source <(starter completion bash)                    in ~/.bashrc
  starter completion zsh > "${fpath[1]}/_starter"      once
  starter completion fish | source                     in config.fish`
		for shell, example := range map[string]string{
			"bash":       "  source <(starter completion bash)",
			"zsh":        "  source <(starter completion zsh)",
			"fish":       "  starter completion fish | source",
			"powershell": "  starter completion powershell | Out-String | Invoke-Expression",
		} {
			if sub, _, err := cmd.Find([]string{shell}); err == nil {
				sub.Short = "Print what " + shell + " needs to complete the commands of starter"
				sub.Example = example
			}
		}
	}
}

// completeSettings completes the flags that every command has.
func completeSettings(root *cobra.Command) {
	completeFlag(root, "dataset", completeDataset)
	for _, f := range flags {
		if f.flag != "dataset" {
			completeFlag(root, f.flag, cobra.NoFileCompletions)
		}
	}
}
