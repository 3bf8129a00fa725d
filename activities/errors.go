package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"

	"padron/internal/boundaries"
	"padron/internal/guard"
	"padron/internal/mirror"
	"padron/internal/socrata"
	"padron/internal/webhook"
)

// Error types of failed activities, as Temporal shows them. CircuitOpen is
// guard's.
const (
	UnknownDataset     = "UnknownDataset"     // the worker has no such spec; not retried
	WrongBuild         = "WrongBuild"         // the worker's spec is not the run's; retried elsewhere
	WorkerStopping     = "WorkerStopping"     // the worker let go of the step; retried elsewhere
	SchemaChanged      = "SchemaChanged"      // the portal's columns do not fit the spec; not retried
	PortalRefused      = "PortalRefused"      // token wrong, dataset private or missing; not retried
	PortalUnavailable  = "PortalUnavailable"  // retried
	PortalLagging      = "PortalLagging"      // an old copy answered; retried
	DatabaseFailed     = "DatabaseFailed"     // retried
	ForeignDatabase    = "ForeignDatabase"    // the database is not Padron's; not retried
	LandingCorrupt     = "LandingCorrupt"     // a landed page is gone, or is not what was written; not retried
	PageUnusable       = "PageUnusable"       // a page whose rows cannot be worked on, however often; not retried
	BoundariesUnusable = "BoundariesUnusable" // what the portal publishes is no outlines of areas; not retried
	GateClosed         = "GateClosed"         // the crawl must not be written; not retried
	ReceiverRefused    = "ReceiverRefused"    // the webhook's receiver does not take the message; not retried
	ReceiverDown       = "ReceiverDown"       // it does not answer, or asks to wait; retried
	NothingToDo        = "NothingToDo"        // the job has nothing to work on, or must not be done now; not retried
)

func refuse(kind, message string) error {
	return temporal.NewNonRetryableApplicationError(message, kind, nil)
}

func retry(kind, message string) error {
	return temporal.NewApplicationError(message, kind)
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
	switch {
	case err == nil, errors.As(err, &app), errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &open):
		return open.Temporal()
	case errors.Is(err, mirror.ErrForeign), errors.Is(err, mirror.ErrForeignRow):
		return refuse(ForeignDatabase, err.Error())
	case errors.Is(err, mirror.ErrNoRun), errors.Is(err, mirror.ErrAsOf):
		return refuse(NothingToDo, err.Error())
	case errors.Is(err, mirror.ErrCorrupt), errors.Is(err, mirror.ErrNoPage):
		return refuse(LandingCorrupt, err.Error())
	case errors.Is(err, mirror.ErrOrder), errors.Is(err, mirror.ErrDuplicateKey), errors.Is(err, mirror.ErrNoDocument):
		return refuse(PageUnusable, err.Error())
	case errors.Is(err, boundaries.ErrUnusable):
		return refuse(BoundariesUnusable, err.Error())
	case errors.As(err, &soda):
		switch soda.Kind {
		case socrata.BadQuery:
			return refuse(SchemaChanged, err.Error())
		case socrata.Refused, socrata.NotFound, socrata.Moved:
			return refuse(PortalRefused, err.Error())
		default:
			return later(PortalUnavailable, err, soda.RetryAfter)
		}
	case errors.As(err, &hook) && hook.Refused():
		return refuse(ReceiverRefused, err.Error()+"; check PADRON_WEBHOOK_URL, `starter alerts test` tries it")
	case errors.As(err, &hook):
		return later(ReceiverDown, err, hook.RetryAfter)
	default:
		return later(DatabaseFailed, err, 0)
	}
}

// later is a retryable error; a positive delay overrides the backoff once.
func later(kind string, err error, delay time.Duration) error {
	return temporal.NewApplicationErrorWithOptions(err.Error(), kind, temporal.ApplicationErrorOptions{NextRetryDelay: delay})
}

// PortalDown says whether an error means that the portal itself is in trouble.
func PortalDown(err error) bool {
	var soda *socrata.Error
	return errors.As(err, &soda) && soda.DestinationDown()
}
