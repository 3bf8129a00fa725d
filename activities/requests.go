package activities

import (
	"context"

	"golang.org/x/time/rate"
)

// requests holds a step that makes many requests to the portal's limit. The limit
// of all workers together is the rate at which their queue starts steps, so the
// start of a step stands for its first request; each further one waits for its
// turn. That holds the limit as long as one such step runs at a time, which the
// graph sees to.
type requests struct {
	limit *rate.Limiter
	made  int
}

func (o *opened) requests() *requests { return &requests{limit: o.limit} }

// wait returns when the step may make its next request.
func (r *requests) wait(ctx context.Context) error {
	if r.made++; r.made == 1 {
		r.limit.Allow() // the next one waits for as long as if this one had waited
		return ctx.Err()
	}
	return r.limit.Wait(ctx)
}

// perSecond is a limit of so many requests a second, without bursts; 0: none.
func perSecond(requests float64) *rate.Limiter {
	if requests <= 0 {
		return rate.NewLimiter(rate.Inf, 1)
	}
	return rate.NewLimiter(rate.Limit(requests), 1)
}
