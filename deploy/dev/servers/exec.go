package servers

import (
	"context"
	"os"

	"padron/deploy/dev/process"
	"padron/deploy/dev/stack"
)

// Exec runs a command in the repository's root with the servers' addresses set.
// It uses the running stack of the data folder data ("" for the checkout's
// own), or starts the servers for as long as the command runs. The command's
// exit code comes back as an *exec.ExitError.
func Exec(ctx context.Context, data string, p Portal, args []string) (err error) {
	dirs, err := stack.FindDirs(data)
	if err != nil {
		return err
	}
	running, ok, err := stack.FindRunning(ctx, dirs)
	if err != nil {
		return err
	}
	if ok {
		return process.RunInForeground(ctx, dirs.Root, running.Env, nil, args[0], args[1:]...)
	}
	// Stdout belongs to the command.
	s, err := Open(data, &p, stack.NewSteps(os.Stderr))
	if err != nil {
		return err
	}
	defer s.ShutDown(&err)
	if _, err := StartAll(ctx, s, p); err != nil {
		return err
	}
	if err := s.Announce("exec"); err != nil {
		return err
	}
	err = process.RunInForeground(ctx, dirs.Root, s.Env(), s.Failed(), args[0], args[1:]...)
	if failure := s.Failure(); failure != nil {
		return failure
	}
	return err
}
