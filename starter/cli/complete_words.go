package cli

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"padron/internal/dataset"
)

// Words lists what may stand in a place, best first. Whoever completes is
// typing: what goes wrong is not told, there is nothing to offer then.
type Words func(cmd *cobra.Command, typed string) []cobra.Completion

// Complete offers words and no files. They stay in the order given.
func Complete(w Words) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return offered(w(cmd, typed), typed), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

// CompleteFirst is complete for a command's one argument.
func CompleteFirst(w Words) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return Complete(w)(cmd, args, typed)
	}
}

// CompleteEach is complete for any number of arguments, each given once.
func CompleteEach(w Words) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		all := slices.DeleteFunc(w(cmd, typed), func(c cobra.Completion) bool {
			word, _, _ := strings.Cut(c, "\t")
			return slices.Contains(args, word)
		})
		return offered(all, typed), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

// CompleteDataset offers the datasets that come with Padron, and files: a spec
// may be one.
func CompleteDataset(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 && cmd.HasParent() && cmd.Parent().Name() == "dataset" {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return offered(datasets(), typed), cobra.ShellCompDirectiveDefault
}

// offered are the words that begin with what was typed.
func offered(all []cobra.Completion, typed string) []cobra.Completion {
	return slices.DeleteFunc(all, func(c cobra.Completion) bool { return !strings.HasPrefix(c, typed) })
}

// CompleteFlag completes a flag's value. The flag must exist, and be completed
// once.
func CompleteFlag(cmd *cobra.Command, flag string, f cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err) // a mistake in this program
	}
}

// CompleteWords offers words that need no explanation.
func CompleteWords[S ~string](all ...S) cobra.CompletionFunc {
	return Complete(func(*cobra.Command, string) []cobra.Completion {
		var list []cobra.Completion
		for _, w := range all {
			list = append(list, string(w))
		}
		return list
	})
}

// CompleteExplained offers words with what they mean, sorted.
func CompleteExplained(meanings map[string]string) cobra.CompletionFunc {
	return Complete(func(*cobra.Command, string) []cobra.Completion {
		var list []cobra.Completion
		for _, w := range slices.Sorted(maps.Keys(meanings)) {
			list = append(list, cobra.CompletionWithDesc(w, meanings[w]))
		}
		return list
	})
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
