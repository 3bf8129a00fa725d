package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"padron/internal/mirror"
	"padron/workflows"
)

// jobFlags are those of the commands that start a job other than mirroring.
// Such a command waits for its job, unless told otherwise.
type jobFlags struct {
	wait, noWait bool
	out          output
}

func (f *jobFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.wait, "wait", true, "wait for the end; --wait=false returns at once")
	cmd.Flags().BoolVar(&f.noWait, "no-wait", false, "fail if another run is writing, rather than wait for it")
	f.out.add(cmd)
}

// start starts the job once check finds nothing against it.
func (f *jobFlags) start(cmd *cobra.Command, in workflows.MirrorInput, check func(context.Context, *start) error) error {
	s, err := newStart(cmd)
	if err != nil {
		return err
	}
	defer s.close()
	if s.mirror == nil {
		return fmt.Errorf("%w of %s: `starter run --wait` makes it", mirror.ErrNoMirror, s.spec.Name)
	}
	if err := check(cmd.Context(), s); err != nil {
		return err
	}
	in.NoWait = f.noWait
	return s.run(cmd, in, f.wait, f.out)
}

// portalAnswers is the check of the jobs that ask the portal.
func portalAnswers(ctx context.Context, s *start) error { return checkPortal(ctx, s.config, s.spec) }

// knownRun is a check that there is such a run. Whether its job can be done is
// the worker's to say, which is the one that decides what comes before what.
func knownRun(ctx context.Context, s *start, id string) error {
	_, err := readRun(ctx, s.mirror, id)
	return err
}

func approveCommand() *cobra.Command {
	var f jobFlags
	cmd := &cobra.Command{
		Use:   "approve RUN",
		Short: "Make the removals that a run holds back",
		Long: `When more rows vanish from the portal at once than the dataset's brake allows
(brake in its spec), a run leaves them in the mirror, ends red and holds the
removals. Look at what is gone, and whether the publisher meant it; then approve
the run. The portal is asked for each of the rows once more, and only those that
it still does not have are removed. They are kept in the collection removed.`,
		Example: `  starter status                     which run is red, and why
  starter status RUN                 how many removals it holds
  starter approve RUN`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeFirst(completeHeld),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := workflows.MirrorInput{Job: workflows.JobApprove, Of: args[0]}
			return f.start(cmd, in, func(ctx context.Context, s *start) error {
				if err := knownRun(ctx, s, args[0]); err != nil {
					return err
				}
				return portalAnswers(ctx, s)
			})
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
		ValidArgsFunction: completeFirst(completeCrawl),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(rerunSteps(), from) {
				return usage(fmt.Errorf("--from %q: use %s", from, oneOf(rerunSteps())))
			}
			in := workflows.MirrorInput{Job: workflows.JobRerun, Of: args[0], From: from}
			return f.start(cmd, in, func(ctx context.Context, s *start) error {
				return knownRun(ctx, s, args[0])
			})
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "`step` to start from: "+oneOf(rerunSteps()))
	completeFlag(cmd, "from", completeExplained(stepMeanings()))
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
found; what is found is listed with its keys. That reads the whole mirror.
Exit code 3 when the outcome is not green.`,
		Example: `  starter verify
  starter verify --deep -o json | jq .record.certificate`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.start(cmd, workflows.MirrorInput{Job: workflows.JobVerify, Deep: deep}, portalAnswers)
		},
	}
	cmd.Flags().BoolVar(&deep, "deep", false, "hash every document and read every change event anew")
	f.add(cmd)
	return cmd
}

func replayCommand() *cobra.Command {
	var f jobFlags
	cmd := &cobra.Command{
		Use:   "replay [KEY…]",
		Short: "Fetch quarantined rows anew",
		Long: `Asks the portal for the rows of the newest crawl's quarantine, all of them or
those with the keys given, cleans them with the present spec and writes those
that have become good. Use it after the spec or the portal's rows were corrected.
Rows without a key cannot be asked for: the next run sees them.`,
		Example: `  starter quarantine replay
  starter quarantine replay 0123456-01-001`,
		ValidArgsFunction: completeEach(completeQuarantined(false)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.start(cmd, workflows.MirrorInput{Job: workflows.JobReplay, Keys: args}, portalAnswers)
		},
	}
	f.add(cmd)
	return cmd
}
