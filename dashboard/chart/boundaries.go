package chart

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"

	"padron/internal/boundaries"
	"padron/internal/statistics"
)

// Boundaries are the outlines of the neighborhoods as the map loads them. They
// have an address of their own, so that the page stays small and a browser
// keeps them for as long as they stay the same.
type Boundaries struct {
	Body    []byte // GeoJSON
	Version string // of the body: part of its address

	areas   int
	bound   orb.Bound
	updated time.Time
	only    []string // names that no location of the register has
	lacking []string // names of the register that have no outline
}

// Boundaries are nil where the spec names none, or no run has fetched them yet.
func (mk *Maker) Boundaries(ctx context.Context) (*Boundaries, error) {
	id := mk.Spec.Boundaries.ID
	if id == "" {
		return nil, nil
	}
	names, _, err := ReadSeries[[]statistics.Tallied](ctx, mk, mk.Snapshot, statistics.SeriesNeighborhood)
	if err != nil {
		return nil, err
	}
	return keep(ctx, mk.Kept, "outlines "+mk.Lang+" "+mk.Past, func(ctx context.Context) (*Boundaries, error) {
		set, err := mk.Reader.Boundaries.Get(ctx, id)
		if errors.Is(err, boundaries.ErrNoBoundaries) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return mk.outline(&set, names)
	})
}

// outline makes GeoJSON of boundaries. A neighborhood that the register has is
// linked to its page.
func (mk *Maker) outline(set *boundaries.Set, names []statistics.Tallied) (*Boundaries, error) {
	spec := mk.Spec.Boundaries
	o := &Boundaries{areas: len(set.Areas), updated: set.Updated}
	if o.updated.IsZero() {
		o.updated = set.Fetched
	}
	o.updated = o.updated.In(mk.Spec.Location())
	features := geojson.NewFeatureCollection()
	for i, a := range set.Areas {
		f := geojson.NewFeature(orb.MultiPolygon(a.Outline))
		f.Properties[string(OutlineName)] = a.Name
		if slices.ContainsFunc(names, func(n statistics.Tallied) bool { return n.Name == a.Name }) {
			f.Properties[string(OutlineHref)] = PagePath(mk.Lang, "neighborhoods", a.Name)
		} else {
			o.only = append(o.only, a.Name)
		}
		features.Append(f)
		if i == 0 {
			o.bound = a.Bound()
		}
		o.bound = o.bound.Union(a.Bound())
	}
	for _, n := range names {
		if n.Name != "" && !slices.ContainsFunc(set.Areas, func(a boundaries.Area) bool { return a.Name == n.Name }) {
			o.lacking = append(o.lacking, n.Name)
		}
	}
	features.ExtraMembers = geojson.Properties{
		"title": spec.Title, "dataset": mk.Spec.Portal.Host + "/" + set.ID,
		"updated": o.updated.Format(time.DateOnly), "fetched": set.Fetched.Format(time.RFC3339),
		"license": spec.License, "attribution": spec.Attribution, "tolerance": set.Tolerance,
	}
	var err error
	if o.Body, err = json.Marshal(features); err != nil {
		return nil, fmt.Errorf("boundaries %s: %w", set.ID, err)
	}
	sum := sha256.Sum256(o.Body)
	o.Version = hex.EncodeToString(sum[:8])
	return o, nil
}
