package product

import (
	"context"
	"errors"
	"os"

	"padron/deploy/dev/servers"
	"padron/deploy/dev/stack"
	"padron/internal/mongodb"
)

// Demo starts everything on the data folder data ("" for the checkout's own),
// loads the register once, and stays up until ctx ends. With exit it stops
// after the load. Without it the servers stay up after a load that failed,
// because the Web UI shows the reason.
func Demo(ctx context.Context, data string, portal servers.Portal, exit bool) (err error) {
	s, err := servers.Open(data, &portal, stack.NewSteps(os.Stdout))
	if err != nil {
		return err
	}
	defer s.ShutDown(&err)
	p, addresses, err := Start(ctx, s, portal, "demo")
	if err != nil {
		return err
	}
	load := p.Load(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if load != nil && !exit {
		s.Steps.Say("Load", "not done: %v; the Web UI shows more", load)
	}
	printAddresses(s, addresses)
	if exit {
		return load
	}
	s.Steps.Say("Ready", "Ctrl-C stops everything")
	return errors.Join(s.Wait(ctx), load)
}

// Up starts the servers, and the worker if it is wanted, and stays up until ctx
// ends. It loads nothing.
func Up(ctx context.Context, data string, portal servers.Portal, worker bool) (err error) {
	s, err := servers.Open(data, &portal, stack.NewSteps(os.Stdout))
	if err != nil {
		return err
	}
	defer s.ShutDown(&err)
	if worker {
		_, _, err = Start(ctx, s, portal, "up")
	} else if _, err = servers.StartAll(ctx, s, portal); err == nil {
		err = s.Announce("up")
	}
	if err != nil {
		return err
	}
	s.Steps.Say("Logs", "%s", s.Dirs.Logs())
	s.Steps.Say("Ready", "Ctrl-C stops everything")
	return s.Wait(ctx)
}

// printAddresses repeats where everything is, below the output of a long load.
func printAddresses(s *stack.Stack, a servers.Addresses) {
	for _, line := range []struct{ name, text string }{
		{"Dashboard", a.Dashboard},
		{"Web UI", a.TemporalUI},
		{"MongoDB", mongodb.Address(a.MongoDB)},
		{"Temporal", a.Temporal},
		{"Portal", a.Portal},
		{"Worker", a.Health},
		{"Logs", s.Dirs.Logs()},
	} {
		if line.text != "" {
			s.Steps.Say(line.name, "%s", line.text)
		}
	}
}
