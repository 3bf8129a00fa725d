package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// ErrCancelled says that a run was cancelled before its end.
var ErrCancelled = errors.New("was cancelled; the next run ends what it left")

// NewRunID is the id of a run that begins now, in UTC, such as
// "manual-2026-11-24T03:47:00.525Z".
func NewRunID(kind string) string {
	return kind + "-" + time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
}

// Await waits for the end of a run and reads its result, while show, which
// returns when its context ends, shows what the run does. In errors what names
// the run, and look is the command that shows it. ErrCancelled, wrapped, when it
// was cancelled; the error of a run that failed says why, that of a wait that
// was cut short, that the run goes on.
func Await(ctx context.Context, started client.WorkflowRun, result any, what, look string, show func(context.Context)) error {
	watching, stop := context.WithCancel(ctx)
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		show(watching)
	}()
	err := started.Get(watching, result)
	stop()
	<-shown
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("no longer waiting; %s goes on, `%s` shows it", what, look)
	case temporal.IsCanceledError(err):
		return fmt.Errorf("%s %w", what, ErrCancelled)
	}
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		err = fmt.Errorf("%s (%s)", app.Message(), app.Type())
	}
	return fmt.Errorf("%s failed: %w", what, err)
}
