package main

import (
	"github.com/spf13/cobra"

	"padron/starter/cli"
)

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
	cli.CompleteFlag(root, "dataset", cli.CompleteDataset)
	for _, f := range cli.Flags {
		if f.Flag != "dataset" {
			cli.CompleteFlag(root, f.Flag, cobra.NoFileCompletions)
		}
	}
}
