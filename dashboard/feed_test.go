package dashboard_test

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"padron/internal/export"
	"padron/internal/portalsim"
)

// TestTitlesOfTheFeedAreText: anybody can register a business under any name, and
// readers of feeds take titles and descriptions for HTML. So do spreadsheets take
// names for formulas.
func TestTitlesOfTheFeedAreText(t *testing.T) {
	t.Parallel()
	s := newStack(t, 50)
	s.load()
	const name = `A&B <img src=x onerror=alert(1)>; =cmd()`
	require.NoError(t, s.portal.Edit(portalsim.Rename(s.someDocument().Lookup("_id").StringValue(), name)))
	s.load()

	var feed struct {
		Channel struct {
			Items []struct {
				Title       string `xml:"title"`
				Description string `xml:"description"`
			} `xml:"item"`
		} `xml:"channel"`
	}
	require.NoError(t, xml.Unmarshal([]byte(s.ok("/changes.rss").body), &feed))
	require.Len(t, feed.Channel.Items, 1)
	item := feed.Channel.Items[0]
	require.Contains(t, item.Title, `A&B < img src=x onerror=alert(1)>`)
	require.Contains(t, html.UnescapeString(item.Description), name)
	for _, text := range []string{item.Title, item.Description} {
		for tokens := html.NewTokenizer(strings.NewReader(text)); ; {
			kind := tokens.Next()
			if kind == html.ErrorToken {
				break
			}
			require.Equal(t, html.TextToken, kind, "%s", text)
		}
	}

	file := s.ok("/data/businesses.csv").body
	require.Contains(t, file, `"A&B <img src=x onerror=alert(1)>; '=cmd()"`)
	require.False(t, strings.HasPrefix(file, export.ByteOrderMark), "programs do without")
	require.Equal(t, export.ByteOrderMark+file, s.ok("/data/businesses.csv?bom=1").body)
	require.Contains(t, s.ok("/en/businesses").body, `&amp;bom=1" download>CSV`)
}
