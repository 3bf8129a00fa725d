package chart

import (
	"context"
	"fmt"
	"runtime/debug"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"padron/internal/statistics"
)

// keptAtMost is how many series, lists and charts are kept. The newest snapshot
// has about twenty series, and a chart of the past reads one for each year.
const keptAtMost = 256

// Kept holds what was read or made and never changes, for all requests. What is
// in it is shared: it must not be written to.
type Kept struct {
	values  *lru.Cache[string, any]
	flights singleflight.Group
}

// NewKept makes an empty one.
func NewKept() (*Kept, error) {
	values, err := lru.New[string, any](keptAtMost)
	if err != nil {
		return nil, fmt.Errorf("cache of charts: %w", err)
	}
	return &Kept{values: values}, nil
}

// keep reads a value once for all who ask for it under its key.
func keep[T any](ctx context.Context, k *Kept, key string, read func(ctx context.Context) (T, error)) (T, error) {
	if v, ok := k.values.Get(key); ok {
		return v.(T), nil
	}
	return Shared(ctx, &k.flights, key, func(ctx context.Context) (T, error) {
		value, err := read(ctx)
		if err == nil {
			k.values.Add(key, value)
		}
		return value, err
	})
}

// Shared reads a value once for all who ask for it under its key at the same
// time. Who asks waits no longer than ctx lasts; its end does not cancel the
// reading, which others may wait for and in which each call has a deadline of
// its own.
func Shared[T any](ctx context.Context, flights *singleflight.Group, key string, read func(ctx context.Context) (T, error)) (T, error) {
	var none T
	select {
	case found := <-Begin(ctx, flights, key, read):
		if found.Err != nil {
			return none, found.Err
		}
		return found.Val.(T), nil
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// Begin is Shared for who does not wait.
func Begin[T any](ctx context.Context, flights *singleflight.Group, key string, read func(ctx context.Context) (T, error)) <-chan singleflight.Result {
	ctx = context.WithoutCancel(ctx)
	return flights.DoChan(key, func() (value any, err error) {
		// This is a goroutine of its own, whose panic would end the program.
		defer func() {
			if fault := recover(); fault != nil {
				err = fmt.Errorf("%s: panic: %v\n%s", key, fault, debug.Stack())
			}
		}()
		return read(ctx)
	})
}

// ReadSeries reads a series of a snapshot. It is false when the snapshot was
// made by an older version and has no series of that name.
func ReadSeries[T any](ctx context.Context, mk *Maker, snap *statistics.Snapshot, name string) (T, bool, error) {
	var none T
	if !snap.Has(name) {
		return none, false, nil
	}
	key := fmt.Sprintf("series %s %d %s %s", snap.ID, snap.Created.UnixMilli(), snap.Digest, name)
	rows, err := keep(ctx, mk.Kept, key, func(ctx context.Context) (T, error) {
		var rows T
		err := mk.Reader.Statistics.SeriesOf(ctx, snap, name, &rows)
		return rows, err
	})
	return rows, err == nil, err
}

// once makes a chart that depends on no parameter once, with its table and its
// drawing, for all requests until a run begins or ends. It is for the largest
// charts of the first page, which is read most.
func (mk *Maker) once(name string, makeChart Make) Make {
	return func(ctx context.Context, page Page) (*Figure, error) {
		shared, err := keep(ctx, mk.Kept, "figure "+name+" "+mk.Lang+" "+mk.Past, func(ctx context.Context) (*Figure, error) {
			f, err := makeChart(ctx, page)
			if err != nil || f.Missing != "" {
				return f, err
			}
			if f.drawing, err = f.Drawing(); err != nil {
				return nil, err
			}
			f.grid = f.Grid()
			return f, nil
		})
		if err != nil {
			return nil, err
		}
		f := *shared
		if f.Missing == "" {
			mk.link(&f, page) // of this request's page and parameters
		}
		return &f, nil
	}
}
