package activities

import "context"

// Index makes sure that the indexes stand. It comes after the upsert because a
// first load into a table without indexes, indexed afterwards, is several times
// as fast as one into an indexed table; on later runs it finds them there.
func (a *Activities) Index(ctx context.Context, run Run) error {
	_, err := step(ctx, run, func(ctx context.Context, run Run) (any, error) {
		o, err := a.dataset(ctx, run)
		if err != nil {
			return nil, err
		}
		return nil, a.Database.Do(ctx, func(ctx context.Context) error {
			remade, err := o.mirror.EnsureIndexes(ctx)
			if len(remade) > 0 {
				a.Log.Warn("indexes that had the names of Padron's and other keys or options were dropped and made anew",
					"dataset", o.spec.Name, "indexes", remade)
			}
			return err
		})
	})
	return err
}
