package runcmd

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"padron/internal/mongodb"
	"padron/internal/query"
	"padron/internal/runs"
	"padron/starter/cli"
	"padron/workflows"
)

// jobFlags are those of the commands that start a job other than mirroring.
// Such a command waits for its job, unless told otherwise.
type jobFlags struct {
	wait, noWait bool
	out          cli.Output
}

func (f *jobFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.wait, "wait", true, "wait for the end; --wait=false returns at once")
	cmd.Flags().BoolVar(&f.noWait, "no-wait", false, "fail if another run is writing, rather than wait for it")
	f.out.Add(cmd)
}

// start starts the job once nothing is found against it: what makes no sense is
// refused here, before there is a run of it.
func (f *jobFlags) start(cmd *cobra.Command, in workflows.MirrorInput, askPortal bool) error {
	s, err := connectToStart(cmd)
	if err != nil {
		return err
	}
	defer s.Close()
	if s.Reader == nil {
		return fmt.Errorf("%w of %s: `starter run --wait` makes it", mongodb.ErrNoMirror, s.Spec.Name)
	}
	if err := s.Reader.Runs.Possible(cmd.Context(), in.Job, in.Of, in.From); err != nil {
		return err
	}
	if askPortal {
		if err := cli.CheckPortal(cmd.Context(), s.Config, s.Spec); err != nil {
			return err
		}
	}
	in.NoWait = f.noWait
	return s.run(cmd, in, f.wait, f.out)
}

func approveCommand() *cobra.Command {
	var f jobFlags
	cmd := &cobra.Command{
		Use:   "approve RUN",
		Short: "Make the removals that a run holds back",
		Long: `When more rows vanish from the portal at once than max_removals in the dataset's
spec allows, a run leaves them in the mirror, ends red and holds the removals. Look
at what is gone, and whether the publisher meant it; then approve the run. The portal
is asked for each of the rows once more, and only those that it still does not have
are removed. They are kept in the collection removed.`,
		Example: `  starter status                     which run is red, and why
  starter status RUN                 how many removals it holds
  starter approve RUN`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cli.CompleteFirst(completeHeld),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.start(cmd, workflows.MirrorInput{Job: runs.JobApprove, Of: args[0]}, true)
		},
	}
	f.add(cmd)
	return cmd
}

func rerunCommand() *cobra.Command {
	var (
		f    jobFlags
		from string
	)
	cmd := &cobra.Command{
		Use:   "rerun RUN --from STEP",
		Short: "Repeat the newest crawl's steps from its landed pages",
		Long: `Repeats a run from one of its steps, with the pages that it fetched: the portal
is not asked. Use it when a crawl was good and what came after was not, for
instance because of the spec. Only the newest crawl can be rerun, and nothing is
removed: the next run does that.

  clean               clean the pages anew (after the spec was changed), then all else
  gate                check the crawl anew and write it
  aggregate_snapshot  only count the mirror anew`,
		Example: `  starter status                     which run crawled last
  starter rerun manual-2026-11-23T16:11:58.123Z --from clean`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cli.CompleteFirst(completeCrawl),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(rerunSteps(), from) {
				return cli.Usage(fmt.Errorf("--from %q: use %s", from, cli.OneOf(rerunSteps())))
			}
			return f.start(cmd, workflows.MirrorInput{Job: runs.JobRerun, Of: args[0], From: from}, false)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "`step` to start from: "+cli.OneOf(rerunSteps()))
	cli.CompleteFlag(cmd, "from", cli.CompleteExplained(stepMeanings()))
	f.add(cmd)
	return cmd
}

func verifyCommand() *cobra.Command {
	var (
		f    jobFlags
		deep bool
	)
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Prove anew that the mirror equals the portal; changes nothing",
		Long: `Makes a certificate of the mirror as it is now and prints each of its checks.

  green     the mirror equals the portal
  behind    it equals what the newest crawl saw, and the portal has changed since
  unproven  the portal moved or lagged meanwhile, so nothing can be said
  red       the mirror is not what it should be

With --deep every document is hashed anew and held against its hash and its
change events, so that what was altered, lost or doubled behind Padron's back is
found; what is found is listed with its keys, and makes every run red until another
deep check finds nothing: ` + "`starter run --repair --wait`" + ` mends it and looks. That
reads the whole mirror.
Exit code 3 when the outcome is not green.`,
		Example: `  starter verify
  starter verify --deep -o json | jq .record.certificate`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.start(cmd, workflows.MirrorInput{Job: runs.JobVerify, Deep: deep}, true)
		},
	}
	cmd.Flags().BoolVar(&deep, "deep", false, "hash every document and read every change event anew")
	f.add(cmd)
	return cmd
}

// RetryCommand is `quarantine retry`: its parent is not a command about runs, what
// it starts is a run.
func RetryCommand() *cobra.Command {
	var f jobFlags
	cmd := &cobra.Command{
		Use:   "retry [KEY…]",
		Short: "Fetch quarantined rows anew",
		Long: `Asks the portal for the rows of the newest crawl's quarantine, all of them or
those with the keys given, cleans them with the present spec and writes those
that have become good. Use it after the spec or the portal's rows were corrected.
Rows without a key cannot be asked for: the next run sees them.`,
		Example: `  starter quarantine retry
  starter quarantine retry 0123456-01-001`,
		ValidArgsFunction: cli.CompleteEach(cli.CompleteQuarantined(false)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.start(cmd, workflows.MirrorInput{Job: runs.JobRetry, Keys: args}, true)
		},
	}
	f.add(cmd)
	return cmd
}

func stepMeanings() map[string]string {
	return map[string]string{
		runs.FromClean:    "clean the pages anew, then all else",
		runs.FromGate:     "check the crawl anew and write it",
		runs.FromSnapshot: "only count the mirror anew",
	}
}

// completeHeld offers the runs that hold removals.
func completeHeld(cmd *cobra.Command, _ string) []cobra.Completion {
	return cli.RunsWhere(cmd, func(r *runs.Run) bool { return r.Held.Rows > 0 })
}

// completeCrawl offers the one run that can be rerun: the newest that crawled.
func completeCrawl(cmd *cobra.Command, _ string) []cobra.Completion {
	return cli.FromMirror(cmd, func(ctx context.Context, reader *query.Reader) []cobra.Completion {
		run, err := reader.Runs.LastCrawl(ctx)
		if err != nil {
			return nil
		}
		return []cobra.Completion{cli.RunOffered(&run)}
	})
}
