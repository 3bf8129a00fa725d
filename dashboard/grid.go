package dashboard

import (
	"encoding/json"
	"fmt"
	"html/template"
	"strings"
)

// grid writes a table as HTML. Charts have some thousand cells, for which a
// template takes twenty times as long; all text goes through the same escaping.
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
	b.WriteString(`<div class="scroll" role="region" tabindex="0" aria-label="` + caption + `">` + "\n<table>\n<caption>" + caption + "</caption>\n<thead><tr>")
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

// Grid is the figure's table.
func (f *Figure) Grid() template.HTML {
	if f.grid != "" {
		return f.grid
	}
	return f.Table.grid()
}

// Drawing is the chart's data as a script element of JSON. encoding/json writes
// <, > and & as escapes, so nothing in it ends the element.
func (f *Figure) Drawing() (template.HTML, error) {
	if f.drawing != "" {
		return f.drawing, nil
	}
	data, err := json.Marshal(f.Chart)
	if err != nil {
		return "", fmt.Errorf("chart %s: %w", f.ID, err)
	}
	return template.HTML(`<script type="application/json">` + string(data) + `</script>`), nil //nolint:gosec // see above
}
