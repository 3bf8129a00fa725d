package dashboard

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"

	"padron/internal/boundaries"
	"padron/internal/mirror"
)

// kindGeoJSON is the type of https://www.rfc-editor.org/rfc/rfc7946
const kindGeoJSON = "application/geo+json; charset=utf-8"

// namesShown is how many names a note lists.
const namesShown = 5

// outlines are the boundaries of the neighborhoods as the map gets them: a
// resource of its own, so that the page stays small, and one that a browser
// keeps for as long as it stays the same.
type outlines struct {
	body    []byte // GeoJSON
	version string // of the body: part of its address
	areas   int
	bound   orb.Bound
	updated time.Time
	only    []string // names that no location of the register has
	lacking []string // names of the register that have no outline
}

// outlinesChart says where the map finds its outlines, and how far they reach.
type outlinesChart struct {
	Href string     `json:"href"`
	Box  [4]float64 `json:"box"` // west, south, east, north
}

// outlines are nil where the spec names no boundaries, or no run has fetched
// them yet.
func (r *request) outlines() (*outlines, error) {
	id := r.server.Spec.Boundaries.ID
	if id == "" {
		return nil, nil
	}
	names, _, err := series[[]mirror.Tallied](r, &r.state.snapshot, mirror.SeriesNeighborhood)
	if err != nil {
		return nil, err
	}
	return remember(r.ctx, r.server, "outlines "+r.lang+" "+r.state.past, func(ctx context.Context) (*outlines, error) {
		set, err := r.mirror.Boundaries(ctx, id)
		if errors.Is(err, mirror.ErrNoBoundaries) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return r.outline(&set, names)
	})
}

// outline makes GeoJSON of boundaries. A neighborhood that the register has is
// linked to its page.
func (r *request) outline(set *mirror.BoundarySet, names []mirror.Tallied) (*outlines, error) {
	spec := r.server.Spec.Boundaries
	o := &outlines{areas: len(set.Areas), updated: set.Updated}
	if o.updated.IsZero() {
		o.updated = set.Fetched
	}
	o.updated = o.updated.In(r.server.Spec.Location())
	features := geojson.NewFeatureCollection()
	for i, a := range set.Areas {
		f := geojson.NewFeature(orb.MultiPolygon(a.Outline))
		f.Properties["name"] = a.Name
		if slices.ContainsFunc(names, func(n mirror.Tallied) bool { return n.Name == a.Name }) {
			f.Properties["href"] = pagePath(r.lang, "neighborhoods", a.Name)
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
		"title": spec.Title, "dataset": r.server.Spec.Portal.Host + "/" + set.ID, "updated": o.updated.Format(time.DateOnly), "fetched": set.Fetched.Format(time.RFC3339),
		"license": spec.License, "attribution": spec.Attribution, "tolerance": set.Tolerance,
	}
	var err error
	if o.body, err = json.Marshal(features); err != nil {
		return nil, fmt.Errorf("boundaries %s: %w", set.ID, err)
	}
	sum := sha256.Sum256(o.body)
	o.version = hex.EncodeToString(sum[:8])
	return o, nil
}

// outlineMap adds the boundaries to the map, as far as they lie within its box.
func (r *request) outlineMap(f *Figure, chart *hexChart) error {
	o, err := r.outlines()
	if err != nil || o == nil {
		return err
	}
	box := chart.Box
	chart.Outlines = &outlinesChart{
		Href: dataPath(".json", "boundaries") + "?lang=" + r.lang + "&v=" + o.version,
		Box: [4]float64{
			round(max(o.bound.Left(), box[0]), 5), round(max(o.bound.Bottom(), box[1]), 5),
			round(min(o.bound.Right(), box[2]), 5), round(min(o.bound.Top(), box[3]), 5),
		},
	}
	spec := r.server.Spec.Boundaries
	f.Notes = append(f.Notes, r.t("note.boundaries", o.areas, spec.Title, spec.Attribution, o.updated.Format(time.DateOnly), spec.License))
	if len(o.lacking) > 0 {
		f.Notes = append(f.Notes, r.t("note.boundaries.lacking", len(o.lacking), someNames(o.lacking)))
	}
	if len(o.only) > 0 {
		f.Notes = append(f.Notes, r.t("note.boundaries.only", len(o.only), someNames(o.only)))
	}
	return nil
}

// someNames lists the first few.
func someNames(names []string) string {
	if len(names) <= namesShown {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:namesShown], ", ") + ", …"
}

// boundariesJSON answers /data/boundaries.json.
func (r *request) boundariesJSON() (*content, error) {
	if err := r.needSnapshot(); err != nil {
		return nil, err
	}
	o, err := r.outlines()
	if err != nil {
		return nil, err
	}
	if o == nil {
		return nil, missing("boundaries")
	}
	return &content{kind: kindGeoJSON, body: o.body, lasting: r.query.Get("v") == o.version}, nil
}
