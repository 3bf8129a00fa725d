package chart

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
	"pgregory.net/rapid"
)

// TestNothingEscapesFromATable: any text in a table is read back as text.
func TestNothingEscapesFromATable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		nasty := rapid.OneOf(
			rapid.StringMatching(`[<>&"'/a-z ]{0,20}`), rapid.Just(`"><script>alert(1)</script>`), rapid.Just("</script><!--"),
		)
		title, name, value := nasty.Draw(t, "title"), nasty.Draw(t, "name"), nasty.Draw(t, "value")
		table := &Table{Caption: title, Columns: []Column{{Key: "a", Title: title}, {Key: "b", Title: value, Number: true}}}
		table.add(Cell{Value: name, Text: name, Href: PagePath("en", "neighborhoods", name)}, Cell{Value: value, Text: value})
		f := &Figure{Chart: map[string]string{title: value}, Table: table}
		drawing, err := f.Drawing()
		require.NoError(t, err)
		root, err := html.Parse(strings.NewReader(string(f.Grid()) + string(drawing)))
		require.NoError(t, err)
		found := map[string][]string{}
		for n := range root.Descendants() {
			if n.Type == html.ElementNode {
				var b strings.Builder
				for d := range n.Descendants() {
					if d.Type == html.TextNode {
						b.WriteString(d.Data)
					}
				}
				found[n.Data] = append(found[n.Data], b.String())
			}
		}
		require.Equal(t, []string{title}, found["caption"])
		require.Equal(t, []string{title, value, name}, found["th"])
		require.Equal(t, []string{value}, found["td"])
		require.Len(t, found["script"], 1)
		require.Empty(t, found["img"])
	})
}
