package activities

import "context"

// Index makes sure that the indexes stand. It comes after the upsert because a
// first load into a table without indexes, indexed afterwards, is several times
// as fast as one into an indexed table; on later runs it finds them there.
func (a *Activities) Index(ctx context.Context, run Run) error {
	defer alive(ctx)()
	o, err := a.dataset(ctx, run)
	if err == nil {
		err = a.Database.Do(ctx, o.mirror.EnsureIndexes)
	}
	return classify(err)
}
