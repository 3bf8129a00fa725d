package statistics

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/mongodb"
	"padron/internal/profile"
	"padron/internal/socrata"
)

// DataProfile describes what the columns hold: the exploratory analysis of the
// data, kept current. It is no part of a snapshot's counts, and stands beside
// one.
type DataProfile struct {
	Snapshot string `bson:"snapshot" json:"snapshot"` // id of the snapshot it stands beside
	Columns  `bson:",inline"`

	// Matrix are the counts of open and closed rows by neighborhood and sector.
	Matrix Cells `bson:"matrix" json:"matrix"`
	// Associations of the small dimensions, each pair once.
	Associations []Association `bson:"associations" json:"associations"`
}

// Columns describe the documents of one crawl. They may be those of an earlier
// crawl than the snapshot's: where nothing changed since, or where a run had no
// crawl of all rows.
type Columns struct {
	profile.Description `bson:",inline"`

	Run     string          `bson:"run,omitempty" json:"run"`         // whose crawl it was
	Version socrata.Version `bson:"version,omitempty" json:"version"` // of that crawl
	Made    time.Time       `bson:"made" json:"made"`
	TookMS  int64           `bson:"took_ms" json:"took_ms"`

	// By these a later run sees that nothing changed.
	Spec   string `bson:"spec,omitempty" json:"-"`   // digest of the spec
	Sketch int    `bson:"sketch,omitempty" json:"-"` // profile.Version
	Digest string `bson:"digest,omitempty" json:"-"` // of the documents
}

// Of reports whether the columns are described as this version of Padron does it,
// by the spec of a digest.
func (c *Columns) Of(spec string) bool { return c.Spec == spec && c.Sketch == profile.Version }

// Same reports whether the columns describe the very documents, in the same way.
func (c *Columns) Same(other *Columns) bool {
	return c.Digest != "" && c.Digest == other.Digest && c.Spec == other.Spec && c.Sketch == other.Sketch
}

// Association is how strongly two dimensions depend on each other among the
// rows that have both: Cramér's V with Bergsma's correction of bias, 0 to 1.
type Association struct {
	A    string   `bson:"a" json:"a"`
	B    string   `bson:"b" json:"b"`
	Rows int64    `bson:"rows" json:"rows"`
	V    *float64 `bson:"v" json:"v"` // null when one of them has fewer than two values
}

// StoreProfile stores a description of the columns beside a snapshot, in place of
// what is there, with what the snapshot's own counts say of how dimensions
// depend on each other.
//
// Errors: ErrNoSnapshot.
func (s *Store) StoreProfile(ctx context.Context, snapshot string, columns *Columns) error {
	snap, err := s.Snapshot(ctx, snapshot)
	if err != nil {
		return fmt.Errorf("store profile: %w", err)
	}
	var cells Cells
	if err := s.SeriesOf(ctx, &snap, SeriesCells, &cells); err != nil {
		return fmt.Errorf("store profile: %w", err)
	}
	p := DataProfile{Snapshot: snap.ID, Columns: *columns, Matrix: matrix(cells), Associations: associations(cells)}
	call, cancel := s.db.Call(ctx)
	defer cancel()
	id := partID(snap.ID, SeriesProfile)
	_, err = s.db.Collection(mongodb.Snapshots).ReplaceOne(call, mongodb.ByID(id), part{ID: id, Rows: p}, options.Replace().SetUpsert(true))
	if err != nil {
		return fmt.Errorf("store profile of %s: %w", snap.ID, err)
	}
	return nil
}

// profilesBack is how many snapshots are looked at for the last profile: each
// has one, unless its step failed.
const profilesBack = 20

// LastProfile is the profile that was made last, of those beside the newest
// observed snapshots. ErrNoSnapshot when there is none.
func (r *Reader) LastProfile(ctx context.Context) (DataProfile, error) {
	snaps, err := r.Snapshots(ctx, profilesBack, Observed)
	if err != nil {
		return DataProfile{}, fmt.Errorf("find the last profile: %w", err)
	}
	ids := make([]string, len(snaps))
	for i := range snaps {
		ids[i] = partID(snaps[i].ID, SeriesProfile)
	}
	call, cancel := r.db.Call(ctx)
	defer cancel()
	cursor, err := r.db.Collection(mongodb.Snapshots).Find(call, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}},
		options.Find().SetSort(bson.D{{Key: "rows.made", Value: -1}}).SetLimit(1))
	if err != nil {
		return DataProfile{}, fmt.Errorf("find the last profile: %w", err)
	}
	var found []struct {
		Rows DataProfile `bson:"rows"`
	}
	if err := cursor.All(call, &found); err != nil {
		return DataProfile{}, fmt.Errorf("read the last profile: %w", err)
	}
	if len(found) == 0 {
		return DataProfile{}, fmt.Errorf("%w with a profile", ErrNoSnapshot)
	}
	p := found[0].Rows
	for i := range snaps {
		if snaps[i].ID == p.Snapshot {
			p.of(&snaps[i])
		}
	}
	return p, nil
}

// DataProfile reads the profile that stands beside a snapshot ("latest" as in
// Snapshot). ErrNoSnapshot when there is none.
func (r *Reader) DataProfile(ctx context.Context, snapshot string) (DataProfile, error) {
	snap, err := r.Snapshot(ctx, snapshot)
	if err != nil {
		return DataProfile{}, err
	}
	var p DataProfile
	if err := r.SeriesOf(ctx, &snap, SeriesProfile, &p); err != nil {
		return DataProfile{}, err
	}
	p.of(&snap)
	return p, nil
}

// of completes a profile from before it was kept which run's crawl it describes:
// it was made of the documents that its snapshot counted.
func (p *DataProfile) of(snap *Snapshot) {
	if p.Run == "" {
		p.Run, p.Version = snap.Run, snap.Version
	}
}
