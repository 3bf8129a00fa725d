package statistics

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
)

// Totals are counts of locations. Rows = Open + Closed everywhere, and
// AdministrativelyClosed are those among Closed that the city closed for want
// of contact, so that a chart can set them apart.
type Totals struct {
	Rows                   int64 `bson:"rows" json:"rows"`
	Open                   int64 `bson:"open" json:"open"`
	Closed                 int64 `bson:"closed" json:"closed"`
	AdministrativelyClosed int64 `bson:"administratively_closed" json:"administratively_closed"`
}

// Plus adds counts.
func (t Totals) Plus(o Totals) Totals {
	return Totals{
		Rows: t.Rows + o.Rows, Open: t.Open + o.Open, Closed: t.Closed + o.Closed,
		AdministrativelyClosed: t.AdministrativelyClosed + o.AdministrativelyClosed,
	}
}

// Tallied is one value of a dimension; an empty name stands for unknown.
type Tallied struct {
	Name   string `bson:"name" json:"name"`
	Totals `bson:",inline"`
}

// TalliedDistrict is one district; 0 stands for unknown.
type TalliedDistrict struct {
	District District `bson:"district" json:"district"`
	Totals   `bson:",inline"`
}

// Cells are the counts of every combination of neighborhood, sector and
// district that occurs, packed: the first three numbers of a row are an index
// into Neighborhoods, an index into Sectors and the district itself (0:
// unknown), or, where a district is no number, an index into Districts; the last
// three open, closed and, among these, administratively closed. Every smaller
// view is a sum over rows.
type Cells struct {
	Neighborhoods []string   `bson:"neighborhoods" json:"neighborhoods"` // empty: unknown
	Sectors       []string   `bson:"sectors" json:"sectors"`
	Districts     []string   `bson:"districts,omitempty" json:"districts,omitempty"`
	Rows          [][6]int64 `bson:"rows" json:"rows"`
}

// District is the district of a row.
func (c *Cells) District(row [6]int64) District {
	switch {
	case c.Districts != nil:
		return District(c.Districts[row[2]])
	case row[2] == 0:
		return ""
	}
	return District(strconv.FormatInt(row[2], 10))
}

// cell is one combination of the dimensions.
type cell struct {
	Neighborhood string
	Sector       string
	District     District
	Totals
}

// merged sorts cells and adds up those of the same names.
func merged(cells []cell) []cell {
	slices.SortFunc(cells, func(a, b cell) int {
		return cmp.Or(cmp.Compare(a.Neighborhood, b.Neighborhood), cmp.Compare(a.Sector, b.Sector), compareNames(string(a.District), string(b.District)))
	})
	var out []cell
	for _, c := range cells {
		if n := len(out) - 1; n >= 0 && out[n].Neighborhood == c.Neighborhood && out[n].Sector == c.Sector && out[n].District == c.District {
			out[n].Totals = out[n].Plus(c.Totals)
			continue
		}
		out = append(out, c)
	}
	return out
}

// rollUp adds up cells by one of their dimensions.
func rollUp[K comparable](cells []cell, by func(cell) K) map[K]Totals {
	sums := map[K]Totals{}
	for _, c := range cells {
		sums[by(c)] = sums[by(c)].Plus(c.Totals)
	}
	return sums
}

func named(sums map[string]Totals) []Tallied {
	rows := make([]Tallied, 0, len(sums))
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		rows = append(rows, Tallied{Name: name, Totals: sums[name]})
	}
	return rows
}

func byDistrict(sums map[District]Totals) []TalliedDistrict {
	rows := make([]TalliedDistrict, 0, len(sums))
	for _, district := range slices.SortedFunc(maps.Keys(sums), func(a, b District) int { return compareNames(string(a), string(b)) }) {
		rows = append(rows, TalliedDistrict{District: district, Totals: sums[district]})
	}
	return rows
}

func pack(cells []cell) Cells {
	packed := Cells{Neighborhoods: []string{}, Sectors: []string{}, Rows: make([][6]int64, len(cells))}
	neighborhoods, sectors := map[string]int64{}, map[string]int64{}
	named := false // a district is no number
	for i, c := range cells {
		if _, ok := neighborhoods[c.Neighborhood]; !ok {
			neighborhoods[c.Neighborhood] = int64(len(packed.Neighborhoods))
			packed.Neighborhoods = append(packed.Neighborhoods, c.Neighborhood)
		}
		if _, ok := sectors[c.Sector]; !ok {
			sectors[c.Sector] = int64(len(packed.Sectors))
			packed.Sectors = append(packed.Sectors, c.Sector)
		}
		district, ok := c.District.number()
		named = named || !ok
		packed.Rows[i] = [6]int64{neighborhoods[c.Neighborhood], sectors[c.Sector], district, c.Open, c.Closed, c.AdministrativelyClosed}
	}
	if !named {
		return packed
	}
	for i, c := range cells {
		at := slices.Index(packed.Districts, string(c.District))
		if at < 0 {
			at = len(packed.Districts)
			packed.Districts = append(packed.Districts, string(c.District))
		}
		packed.Rows[i][2] = int64(at)
	}
	return packed
}
