package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"padron/internal/boundaries"
	"padron/internal/crawl"
	"padron/internal/guard"
	"padron/internal/landing"
	"padron/internal/mirror"
	"padron/internal/mongodb"
	"padron/internal/runs"
	"padron/internal/socrata"
	"padron/internal/statistics"
	"padron/internal/webhook"
)

// botCheckDelay is how long a step waits that a bot check has refused: asking often
// is what such checks are about.
const botCheckDelay = 5 * time.Minute

// longestWait bounds what a portal's Retry-After is heeded for: a portal that says
// a day is back within the hour often enough, and a run has a deadline.
const longestWait = time.Hour

// refuse is an error of a type (see runs) that is not retried.
func refuse(kind, message string) error {
	return temporal.NewNonRetryableApplicationError(message, kind, nil)
}

// retry is an error of a type that is retried.
func retry(kind, message string) error {
	return temporal.NewApplicationError(message, kind)
}

// finish is where an activity returns: its error gets its type, and is told to
// everybody who reads of the run; the worker's log has it in full.
func finish(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	returned := classify(err)
	if full, said := err.Error(), returned.Error(); said != full && !strings.Contains(said, full) {
		activity.GetLogger(ctx).Warn("step failed", "said", said, "error", full)
	}
	return returned
}

// told is the text of an error as it is stored and shown: histories, run
// records, alerts, messages and pages are read by more people than may know the
// names of this installation's machines and folders. What a driver, the network
// or the file system says is replaced by the kind of trouble.
func told(err error) string {
	if mongodb.Kind(err) != "" {
		return mongodb.Told(err)
	}
	text := err.Error()
	kind, cause := trouble(err)
	if cause == nil {
		return text
	}
	before, _, ok := strings.Cut(text, cause.Error())
	if !ok {
		return kind
	}
	return before + kind
}

// trouble is what the outermost error of the network or the file system in a
// chain is, and that error; nil when there is none.
func trouble(err error) (kind string, cause error) {
	if e, ok := errors.AsType[*url.Error](err); ok {
		if kind, _ = trouble(e.Err); kind == "" {
			kind = reasonOf(e.Err)
		}
		return kind, e
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return reasonOf(e.Err), e
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return reasonOf(e), e
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Op + ": " + reasonOf(e.Err), e
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Op + ": " + reasonOf(e.Err), e
	}
	return "", nil
}

// reasonOf is why a call of the system failed, without what it was called with.
func reasonOf(err error) string {
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number.Error()
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return cmp.Or(map[bool]string{true: "no such host"}[e.IsNotFound], "the host's name cannot be resolved")
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	for _, known := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, fs.ErrClosed, fs.ErrNotExist, fs.ErrPermission} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "the connection failed"
}

// classify is the one place where an error gets its Temporal type and whether
// and when it is retried. It is called once, where an activity returns.
func classify(err error) error {
	var (
		app  *temporal.ApplicationError
		open *guard.OpenError
		soda *socrata.Error
		hook *webhook.Error
	)
	is := func(targets ...error) bool {
		for _, t := range targets {
			if errors.Is(err, t) {
				return true
			}
		}
		return false
	}
	switch {
	case err == nil, errors.As(err, &app):
		return err
	case errors.Is(err, context.Canceled):
		if said := told(err); said != err.Error() {
			return fmt.Errorf("%s: %w", said, context.Canceled)
		}
		return err
	case errors.As(err, &open):
		if open.Cause != nil {
			said := *open
			said.Cause = errors.New(told(open.Cause))
			open = &said
		}
		return open.Temporal()
	case is(mongodb.ErrForeign, mongodb.ErrFormat, mirror.ErrForeignRow):
		return refuse(runs.ForeignDatabase, told(err))
	case is(runs.ErrNoRun, runs.ErrImpossible, statistics.ErrAsOf, crawl.ErrIncomplete):
		return refuse(runs.NothingToDo, told(err))
	case is(landing.ErrCorrupt, landing.ErrNoPage, crawl.ErrNoSummary):
		return refuse(runs.LandingCorrupt, told(err))
	case is(landing.ErrOrder, landing.ErrDuplicateKey, mirror.ErrNoDocument, crawl.ErrUnusable):
		return refuse(runs.PageUnusable, told(err))
	case is(crawl.ErrSpec):
		return refuse(runs.SpecUnusable, told(err))
	case is(boundaries.ErrUnusable):
		return refuse(runs.BoundariesUnusable, told(err))
	case errors.As(err, &soda):
		switch soda.Kind {
		case socrata.BadQuery:
			return refuse(runs.SchemaChanged, told(err))
		case socrata.BotCheck:
			return later(runs.BotCheck, err, min(max(soda.RetryAfter, botCheckDelay), longestWait))
		case socrata.Refused, socrata.NotFound, socrata.Moved:
			return refuse(runs.PortalRefused, told(err))
		default:
			if soda.RetryAfter > longestWait {
				return later(runs.PortalUnavailable, againIn(err, longestWait), longestWait)
			}
			return later(runs.PortalUnavailable, err, soda.RetryAfter)
		}
	case errors.As(err, &hook) && hook.Refused():
		return refuse(runs.ReceiverRefused, told(err)+"; check PADRON_WEBHOOK_URL, `starter alerts test` tries it")
	case errors.As(err, &hook):
		return later(runs.ReceiverDown, err, hook.RetryAfter)
	default:
		return later(runs.DatabaseFailed, err, 0)
	}
}

// later is a retryable error; a positive delay overrides the backoff once.
func later(kind string, err error, delay time.Duration) error {
	return temporal.NewApplicationErrorWithOptions(told(err), kind, temporal.ApplicationErrorOptions{NextRetryDelay: delay})
}

// PortalPause says for how long the portal is to be left alone by all steps: after a
// bot check, and where it asks to wait for longer than steps pause by themselves.
func PortalPause(err error) time.Duration {
	soda, ok := errors.AsType[*socrata.Error](err)
	switch {
	case !ok:
		return 0
	case soda.Kind == socrata.BotCheck:
		return min(max(soda.RetryAfter, botCheckDelay), longestWait)
	case soda.RetryAfter > time.Minute:
		return min(soda.RetryAfter, longestWait)
	}
	return 0
}

// PortalDown says whether an error means that the portal itself is in trouble.
func PortalDown(err error) bool {
	var soda *socrata.Error
	return errors.As(err, &soda) && soda.DestinationDown()
}
