package statistics

import (
	"slices"

	"padron/internal/analytics"
)

// matrix adds up cells over districts.
func matrix(c Cells) Cells {
	sums := map[[2]int64][3]int64{}
	for _, r := range c.Rows {
		s := sums[[2]int64{r[0], r[1]}]
		sums[[2]int64{r[0], r[1]}] = [3]int64{s[0] + r[3], s[1] + r[4], s[2] + r[5]}
	}
	m := Cells{Neighborhoods: c.Neighborhoods, Sectors: c.Sectors, Rows: make([][6]int64, 0, len(sums))}
	for k, s := range sums {
		m.Rows = append(m.Rows, [6]int64{k[0], k[1], 0, s[0], s[1], s[2]})
	}
	slices.SortFunc(m.Rows, func(a, b [6]int64) int { return slices.Compare(a[:], b[:]) })
	return m
}

// associations are those of each two of neighborhood, sector, district and
// whether a row is open, among the rows that have both.
func associations(c Cells) []Association {
	type dimension struct {
		name string
		// of is the value of a cell; empty: unknown.
		of func(r [6]int64) string
	}
	dimensions := []dimension{
		{"neighborhood", func(r [6]int64) string { return c.Neighborhoods[r[0]] }},
		{"sector", func(r [6]int64) string { return c.Sectors[r[1]] }},
		{"district", func(r [6]int64) string { return string(c.District(r)) }},
	}
	list := []Association{}
	add := func(a, b string, table map[string]map[string]int64) {
		of := Association{A: a, B: b}
		for _, line := range table {
			for _, n := range line {
				of.Rows += n
			}
		}
		if v, ok := analytics.CramersV(table); ok {
			of.V = &v
		}
		list = append(list, of)
	}
	count := func(table map[string]map[string]int64, a, b string, n int64) {
		if table[a] == nil {
			table[a] = map[string]int64{}
		}
		table[a][b] += n
	}
	for i, a := range dimensions {
		for _, b := range dimensions[i+1:] {
			table := map[string]map[string]int64{}
			for _, r := range c.Rows {
				if va, vb := a.of(r), b.of(r); va != "" && vb != "" {
					count(table, va, vb, r[3]+r[4])
				}
			}
			add(a.name, b.name, table)
		}
		table := map[string]map[string]int64{}
		for _, r := range c.Rows {
			if v := a.of(r); v != "" {
				count(table, v, "open", r[3])
				count(table, v, "closed", r[4])
			}
		}
		add(a.name, "open", table)
	}
	return list
}
