package workflows

import (
	"errors"

	"go.temporal.io/sdk/temporal"

	"padron/workflows/dag"
)

// failure is what a workflow returns for a failed graph: the first cause in
// plain words, with the type of the error that the activity gave it. A
// cancellation stays one.
func failure(err error) error {
	if temporal.IsCanceledError(err) {
		return err
	}
	kind := "Failed"
	if app := root(err); app != nil {
		kind = app.Type()
	}
	return temporal.NewNonRetryableApplicationError(reason(err), kind, nil)
}

// reason is the innermost cause of an activity's or child's error, without the
// wrapping that Temporal adds on the way.
func reason(err error) string {
	var timeout *temporal.TimeoutError
	if errors.As(err, &timeout) {
		if last := timeout.Unwrap(); last != nil {
			return "gave up at the deadline: " + reason(last)
		}
		return "gave up at the deadline: " + timeout.Error()
	}
	if app := root(err); app != nil {
		return app.Message()
	}
	return err.Error()
}

// root is the innermost application error, nil if there is none.
func root(err error) *temporal.ApplicationError {
	var found *temporal.ApplicationError
	for app := (*temporal.ApplicationError)(nil); errors.As(err, &app); err = errors.Unwrap(app) {
		found = app
		if errors.Unwrap(app) == nil {
			break
		}
	}
	return found
}

// leftOut is the reason why a task had nothing to do, or why its failure does
// not count: a task that returns it ends as skipped, for that reason.
type leftOut string

func (l leftOut) Error() string        { return string(l) }
func (l leftOut) Is(target error) bool { return target == dag.ErrSkip }

// optional makes the failure of a step that a run is complete without a skip
// with the reason.
func optional(what string, err error) error {
	if err == nil || temporal.IsCanceledError(err) {
		return err
	}
	return leftOut(what + ": " + reason(err))
}
