package browsertest_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/planar"
	"github.com/stretchr/testify/require"

	"padron/internal/boundaries"
)

// outlines: as many are drawn as are stored, pointing at the map names the
// neighborhood, and a click leads to its page. Where each lies is told by the
// stored outlines.
func outlines(t *testing.T, s *stack, b *tab) {
	set, err := s.reader.Boundaries.Get(t.Context(), s.spec.Boundaries.ID)
	require.NoError(t, err)
	require.NotEmpty(t, set.Areas)

	b.open("/en/")
	var lines []json.RawMessage
	for _, series := range b.charts()["map"].Series {
		if series.Name == "outlines" {
			lines = series.Values
		}
	}
	require.Len(t, lines, len(set.Areas), "as many are drawn as are stored")

	type spot struct{ X, Y float64 }
	type tip struct {
		Title string
		Rows  []string
	}
	at := func(across, down float64) spot {
		return eval[spot](b, `(() => {
			const plot = document.querySelector("#map .plot");
			plot.scrollIntoView({ block: "center" });
			const r = plot.getBoundingClientRect();
			return { X: r.left + r.width * `+strconv.FormatFloat(across, 'f', -1, 64)+`, Y: r.top + r.height * `+strconv.FormatFloat(down, 'f', -1, 64)+` };
		})()`)
	}
	mouse := func(kind input.DispatchMouseEventType, p spot) {
		e := input.DispatchMouseEventParams{Type: kind, X: p.X, Y: p.Y}
		if kind != input.DispatchMouseEventTypeMouseMoved {
			e.Button, e.ClickCount = input.MouseButtonLeft, 1
		}
		_, err := chromedp.Call(b.ctx, input.DispatchMouseEvent, e)
		require.NoError(t, err)
	}
	canvas := func() string {
		return eval[string](b, `document.querySelector("#map canvas").toDataURL()`)
	}
	whole, stoodOut := canvas(), false
	named := map[string][2]float64{} // where in the plot
	for _, across := range []float64{0.3, 0.4, 0.5, 0.6, 0.7} {
		for _, down := range []float64{0.2, 0.4, 0.6, 0.8} {
			p := at(across, down)
			mouse(input.DispatchMouseEventTypeMouseMoved, p)
			shown := eval[tip](b, `new Promise(r => setTimeout(() => {
				const tip = document.querySelector("#map .tip");
				r({ Title: tip?.querySelector("p")?.textContent ?? "", Rows: [...tip?.querySelectorAll("dt") ?? []].map(d => d.textContent) });
			}, 150))`)
			if len(shown.Rows) == 0 && shown.Title != "" && !stoodOut {
				stoodOut = true
				require.NotEqual(t, whole, canvas(), "the outline of %s stands out where there is no cell", shown.Title)
			}
			if len(shown.Rows) != 2 {
				continue // no cell, or no neighborhood
			}
			name := shown.Rows[0]
			lat, lon, _ := strings.Cut(shown.Rows[1], ", ")
			i := slices.IndexFunc(set.Areas, func(a boundaries.Area) bool { return a.Name == name })
			require.GreaterOrEqual(t, i, 0, "%s is stored", name)
			place := orb.Point{degrees(t, lon), degrees(t, lat)}
			// The place is the cell's middle; the mouse may be across a line.
			if planar.MultiPolygonContains(orb.MultiPolygon(set.Areas[i].Outline), place) {
				named[name] = [2]float64{across, down}
			} else {
				require.Less(t, planar.DistanceFrom(orb.MultiPolygon(set.Areas[i].Outline), place), 0.004, "%s at %v", name, place)
			}
		}
	}
	require.True(t, stoodOut, "some place has no cell")
	require.GreaterOrEqual(t, len(named), 4, "places are named after the neighborhood around them")
	b.requireClean()

	for _, lang := range []string{"en", "es"} {
		b.open("/" + lang + "/")
		for name, place := range named {
			p := at(place[0], place[1])
			eval[bool](b, "window.before = true")
			mouse(input.DispatchMouseEventTypeMouseMoved, p)
			mouse(input.DispatchMouseEventTypeMousePressed, p)
			mouse(input.DispatchMouseEventTypeMouseReleased, p)
			b.eventually("!window.before && document.readyState === 'complete'", "a click opens the page of "+name)
			require.Equal(t, "/"+lang+"/neighborhoods/"+path(name), b.address())
			break
		}
	}
	b.requireClean()
}

func degrees(t *testing.T, text string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(text, 64)
	require.NoError(t, err)
	return v
}
