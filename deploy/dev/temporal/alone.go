package temporal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"padron/deploy/dev/stack"
)

// TestVariable is the variable that names the program that runs a Temporal
// server for tests: this one. They call it as
// `$PADRON_TEST_TEMPORAL temporal --data DIR --port N`, kill it, and start it
// again.
const TestVariable = "PADRON_TEST_TEMPORAL"

// Alone runs the Temporal server alone, without Web UI, with its file in the
// folder data, on a port, or a free one for 0. It prints `ready HOST:PORT` when
// the server answers, and returns when ctx ends or the program that started
// this one has ended. A server that was killed and is started again on the same
// folder continues where it was.
func Alone(ctx context.Context, data string, port int) (err error) {
	s := stack.NewPart(stack.Dirs{Data: data})
	if err := s.Dirs.Make(); err != nil {
		return err
	}
	held, err := stack.HoldPorts(map[string]int{stack.PortTemporal: port})
	if err != nil {
		return err
	}
	if len(held.Moved()) > 0 {
		held.Release()
		return fmt.Errorf("port %d is taken by another program", port)
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	addr, err := StartServer(s, held.Take(stack.PortTemporal))
	if err != nil {
		return fmt.Errorf("start Temporal: %w (log: %s)", err, s.Dirs.Log("temporal"))
	}
	if err := await(ctx, addr); err != nil {
		return fmt.Errorf("%w (log: %s)", err, s.Dirs.Log("temporal"))
	}
	fmt.Println("ready", addr)
	awaitOrphaned(ctx)
	return nil
}

// awaitOrphaned returns when ctx ends or the program that started this one has
// ended: a test that was killed leaves no server behind.
func awaitOrphaned(ctx context.Context) {
	parent := os.Getppid()
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	for os.Getppid() == parent {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}
