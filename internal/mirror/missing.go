package mirror

import (
	"context"
	"fmt"

	"padron/internal/landing"
	"padron/internal/lineage"
	"padron/internal/mongodb"
	"padron/internal/socrata"
)

// MissingInput is a crawl whose keys are not in byte order.
type MissingInput struct {
	Run       string
	Part      string           // label of the page of missing keys
	Pages     []landing.Ref    // UpsertResult.AllKeys of every part; zero ones are passed over
	Heartbeat func(rows int64) // called from the calling goroutine at least every second; may be nil
}

// Missing is what is stored and not in a crawl.
type Missing struct {
	Rows   int64
	Digest lineage.Digest // of the stored rows
	Page   landing.Ref    // their keys; zero when there are none
}

// MissingOf lands the keys that are stored and in none of the pages. (When keys
// are in byte order, Upsert finds them range by range.) It merges all pages
// with the stored keys in one pass, in bounded memory (landing.MergeKeys). A key in
// more than one page is landing.ErrDuplicateKey.
func (m *Mirror) MissingOf(ctx context.Context, zone landing.Zone, in MissingInput) (Missing, error) {
	var missing Missing
	err := mongodb.WithHeartbeat(ctx, in.Heartbeat, func(ctx context.Context, progress *mongodb.Progress) error {
		page := landing.NewKeyWriter(ctx, zone, in.Run, in.Part)
		defer page.Abort()
		crawled, err := landing.MergeKeys(ctx, zone, in.Run, in.Pages)
		if err != nil {
			return err
		}
		defer crawled.Close()
		key, more, err := crawled.Next()
		if err != nil {
			return err
		}
		err = m.eachStored(ctx, socrata.Range{}, func(s *storedRow) error {
			progress.Add(1)
			for more && key < s.key {
				if key, more, err = crawled.Next(); err != nil {
					return err
				}
			}
			if more && key == s.key {
				return nil
			}
			missing.Rows++
			missing.Digest.Add(s.key, s.hash)
			return page.Add(s.key)
		})
		if err != nil {
			return err
		}
		// To the end, for doubles and for the pages' hashes.
		for more {
			if _, more, err = crawled.Next(); err != nil {
				return err
			}
		}
		missing.Page, err = page.Commit(ctx)
		return err
	})
	if err != nil {
		return Missing{}, fmt.Errorf("missing rows of run %s: %w", in.Run, err)
	}
	return missing, nil
}
