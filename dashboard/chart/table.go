package chart

import (
	"fmt"
	"html/template"
	"strings"
)

// Table is a table of values. The first column names its rows.
type Table struct {
	Caption string
	Columns []Column
	Rows    [][]Cell
}

// Column of a table. Key names it in CSV and JSON, the same in every language.
type Column struct {
	Key    string
	Title  string
	Number bool
	Sort   string // address that sorts by it; empty: it does not
	Sorted string // ascending or descending, when the rows are sorted by it
}

// Cell is a value and how it is shown.
type Cell struct {
	Value any // string, int64, float64, bool or nil: unknown
	Text  string
	Href  string
}

// table begins a table. Keys are those of the catalogue, column.<key>, and
// those marked with # are of numbers.
func (mk *Maker) table(caption string, keys ...string) *Table {
	t := &Table{Caption: caption}
	for _, key := range keys {
		name, number := strings.CutPrefix(key, "#")
		t.Columns = append(t.Columns, Column{Key: name, Title: mk.T("column." + name), Number: number})
	}
	return t
}

func (t *Table) add(cells ...Cell) { t.Rows = append(t.Rows, cells) }

// cell shows a value: int64 as a count, float64 with one decimal, nil as
// unknown.
func (mk *Maker) cell(v any) Cell {
	if v == nil {
		return Cell{Text: mk.T("unknown")}
	}
	return Cell{Value: v, Text: mk.Show(v)}
}

// named shows a name with a link to it; "" is unknown.
func (mk *Maker) named(name, shown, href string) Cell {
	if name == "" {
		return Cell{Value: "", Text: mk.T("unknown")}
	}
	return Cell{Value: name, Text: shown, Href: href}
}

// neighborhoodCell is a neighborhood with a link to its page.
func (mk *Maker) neighborhoodCell(name string) Cell {
	return mk.named(name, name, PagePath(mk.Lang, "neighborhoods", name))
}

// sectorCell is a sector with a link to its page.
func (mk *Maker) sectorCell(code string) Cell {
	return mk.named(code, mk.Sector(code), PagePath(mk.Lang, "sectors", code))
}

// share is a part of a whole, in percent; unknown where the whole is nothing.
func (mk *Maker) share(part, whole int64) Cell {
	if whole == 0 {
		return mk.cell(nil)
	}
	return Cell{Value: 100 * float64(part) / float64(whole), Text: mk.Percent(part, whole)}
}

// rate shows a rate, 0 to 1, in percent.
func (mk *Maker) rate(v *float64) Cell {
	if v == nil {
		return mk.cell(nil)
	}
	return Cell{Value: *v * 100, Text: mk.Decimals(*v*100, 1) + " %"}
}

// coordinate shows degrees.
func (mk *Maker) coordinate(v float64) Cell {
	v = round(v, 6)
	return Cell{Value: v, Text: fmt.Sprintf("%.5f", v)}
}

// grid writes a table as HTML. Charts have some thousand cells, for which a
// template takes twenty times as long. All text in it is escaped as templates
// escape it.
func (t *Table) grid() template.HTML {
	var b strings.Builder
	b.Grow(len(t.Rows)*len(t.Columns)*48 + 512)
	escaped := template.HTMLEscapeString
	link := func(href, text string) {
		if href == "" {
			b.WriteString(escaped(text))
			return
		}
		// Addresses are this package's own, made by net/url.
		b.WriteString(`<a href="` + escaped(href) + `">` + escaped(text) + `</a>`)
	}
	caption := escaped(t.Caption)
	b.WriteString(`<div class="scroll" role="region" tabindex="0" aria-label="` + caption + `">` +
		"\n<table>\n<caption>" + caption + "</caption>\n<thead><tr>")
	for _, c := range t.Columns {
		b.WriteString(`<th scope="col"`)
		if c.Number {
			b.WriteString(` class="num"`)
		}
		if c.Sorted != "" {
			b.WriteString(` aria-sort="` + c.Sorted + `"`)
		}
		b.WriteByte('>')
		link(c.Sort, c.Title)
		b.WriteString("</th>")
	}
	b.WriteString("</tr></thead>\n<tbody>\n")
	for _, row := range t.Rows {
		b.WriteString("<tr>")
		for i, cell := range row {
			switch {
			case i == 0:
				b.WriteString(`<th scope="row">`)
			case cell.Value == nil && t.Columns[i].Number:
				b.WriteString(`<td class="num unknown">`)
			case cell.Value == nil:
				b.WriteString(`<td class="unknown">`)
			case t.Columns[i].Number:
				b.WriteString(`<td class="num">`)
			default:
				b.WriteString("<td>")
			}
			link(cell.Href, cell.Text)
			if i == 0 {
				b.WriteString("</th>")
			} else {
				b.WriteString("</td>")
			}
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</tbody>\n</table>\n</div>")
	return template.HTML(b.String()) //nolint:gosec // each text in it is escaped above
}
