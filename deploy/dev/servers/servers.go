package servers

import (
	"context"
	"fmt"
	"os"

	"padron/deploy/dev/engine"
	"padron/deploy/dev/stack"
	"padron/deploy/dev/temporal"
)

// Addresses are where people find the parts of a stack; "" where there is none.
type Addresses struct {
	Dashboard, MongoDB, Temporal, TemporalUI, Portal, Health string
}

// Start starts MongoDB and Temporal, and sets the variables by which programs
// find them.
func Start(ctx context.Context, s *stack.Stack) (a Addresses, err error) {
	if a.MongoDB, err = engine.Start(ctx, s); err != nil {
		return a, err
	}
	s.Setenv("MONGODB_URI", a.MongoDB)
	if a.Temporal, a.TemporalUI, err = temporal.Start(ctx, s); err != nil {
		return a, err
	}
	s.Setenv("TEMPORAL_ADDRESS", a.Temporal)
	self, err := os.Executable()
	if err != nil {
		return a, fmt.Errorf("find this program: %w", err)
	}
	s.Setenv(temporal.TestVariable, self)
	return a, nil
}

// StartAll is Start with the portal.
func StartAll(ctx context.Context, s *stack.Stack, p Portal) (a Addresses, err error) {
	if a, err = Start(ctx, s); err != nil {
		return a, err
	}
	if s.Dirs.World != "" && os.Getenv("MONGODB_DATABASE") == "" {
		s.Setenv("MONGODB_DATABASE", "padron_"+s.Dirs.World)
	}
	a.Portal, err = startPortal(ctx, s, p)
	return a, err
}
