package portalsim

import (
	"net/http"
	"strconv"

	"padron/internal/portalsim/store"
)

// topItems is how many of a column's most frequent values the metadata lists.
const topItems = 20

// metadata is the answer of /api/views/{id}.json.
type metadata struct {
	ID               string           `json:"id"`
	Name             string           `json:"name"`
	AssetType        string           `json:"assetType"`
	Attribution      string           `json:"attribution"`
	AttributionLink  string           `json:"attributionLink"`
	Category         string           `json:"category"`
	CreatedAt        int64            `json:"createdAt"`
	Description      string           `json:"description"`
	LicenseID        string           `json:"licenseId"`
	RowsUpdatedAt    int64            `json:"rowsUpdatedAt,omitempty"`
	ViewLastModified int64            `json:"viewLastModified"`
	ViewType         string           `json:"viewType"`
	Columns          []metadataColumn `json:"columns"`
	License          metadataLicense  `json:"license"`
}

type metadataLicense struct {
	Name      string `json:"name"`
	TermsLink string `json:"termsLink"`
}

type metadataColumn struct {
	ID             int       `json:"id"`
	Name           string    `json:"name"`
	DataTypeName   string    `json:"dataTypeName"`
	FieldName      string    `json:"fieldName"`
	Position       int       `json:"position"`
	RenderTypeName string    `json:"renderTypeName"`
	CachedContents *contents `json:"cachedContents,omitempty"`
}

// contents describes a column's values. All numbers are strings in its JSON.
type contents struct {
	NonNull     string `json:"non_null"`
	Null        string `json:"null"`
	Count       string `json:"count"`
	Cardinality string `json:"cardinality"`
	Smallest    string `json:"smallest,omitempty"`
	Largest     string `json:"largest,omitempty"`
	Top         []top  `json:"top,omitempty"`
}

type top struct {
	Item  string `json:"item"`
	Count string `json:"count"`
}

// publicDomain is the licence of all datasets.
func publicDomain() metadataLicense {
	return metadataLicense{"Open Data Commons Public Domain Dedication and License", "http://opendatacommons.org/licenses/pddl/1.0/"}
}

// metadata answers /api/views/{id}.json. It describes the publisher's version,
// whatever the copies serve: the portal keeps metadata apart from the rows.
func (a *answer) metadata(truth *store.Snapshot) {
	p := a.portal
	updated := truth.Published().Unix()
	if p.says == SaysNothing {
		updated = 0
	} else {
		a.writer.Header().Set("Last-Modified", truth.Published().Format(http.TimeFormat))
	}
	if a.unchanged(truth) {
		return
	}
	m := metadata{
		ID: p.id, Name: p.name, AssetType: "dataset", ViewType: "tabular", Category: "Economy and Community",
		Attribution: "Simulated register", AttributionLink: "https://example.org/register",
		Description: "Simulated rows: no person or business in it is real.",
		LicenseID:   "PDDL", License: publicDomain(),
		CreatedAt: truth.First().AddDate(-10, 0, 0).Unix(), RowsUpdatedAt: updated,
		ViewLastModified: truth.ColumnsChanged().Unix(),
	}
	var described map[string]store.Contents
	if !p.noContents {
		described = p.describe(truth)
	}
	for i, c := range truth.Columns() {
		column := metadataColumn{
			ID: 1000 + i, Name: c.Title, FieldName: c.Name, DataTypeName: c.Kind.String(), RenderTypeName: c.Kind.String(),
			Position: i + 1,
		}
		if d, ok := described[c.Name]; ok {
			column.CachedContents = cachedContents(d, truth.Len())
		}
		m.Columns = append(m.Columns, column)
	}
	p.mu.Lock()
	listedOnly := p.listedOnly
	p.mu.Unlock()
	for i, name := range listedOnly {
		m.Columns = append(m.Columns, metadataColumn{
			ID: 2000 + i, Name: name, FieldName: name, DataTypeName: "text", RenderTypeName: "text", Position: len(m.Columns) + 1,
		})
	}
	a.json(http.StatusOK, "application/json; charset=utf-8", m)
}

// describe computes the contents of a version once, and forgets those of the
// version before.
func (p *Portal) describe(s *store.Snapshot) map[string]store.Contents {
	p.contentsMu.Lock()
	defer p.contentsMu.Unlock()
	if p.contentsOf != s {
		p.contents, p.contentsOf = s.Contents(topItems), s
	}
	return p.contents
}

func cachedContents(c store.Contents, rows int) *contents {
	cached := &contents{
		NonNull: strconv.Itoa(c.Set), Null: strconv.Itoa(rows - c.Set), Count: strconv.Itoa(rows),
		Cardinality: strconv.Itoa(c.Distinct), Smallest: c.Smallest, Largest: c.Largest,
	}
	for _, f := range c.Top {
		cached.Top = append(cached.Top, top{f.Value, strconv.Itoa(f.Rows)})
	}
	return cached
}
