package portalsim

import (
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"padron/internal/portalsim/register"
)

// A portal that keeps its answers gives the same ones as a portal that does
// not, edits or not.
func TestKeptAnswersAreTheSame(t *testing.T) {
	table := register.Generate(40, 3)
	rapid.Check(t, func(t *rapid.T) {
		now := func() time.Time { return time.Date(2026, 10, 3, 20, 0, 0, 0, time.UTC) }
		cold, err := New(Options{Table: table, Now: now})
		require.NoError(t, err)
		room := rapid.SampledFrom([]int64{1, 5000, 1 << 20}).Draw(t, "bytes")
		warm, err := New(Options{Table: table, Now: now, CacheBytes: room})
		require.NoError(t, err)
		keys := keysOf(cold)
		bound := rapid.SampledFrom(append(keys, "", "a", "'"))
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0:
				op := randomEdit(t, cold)
				require.NoError(t, cold.Edit(op))
				require.NoError(t, warm.Edit(op))
				continue
			case 1:
				lag := rapid.Bool().Draw(t, "lag")
				cold.Lag(lag)
				warm.Lag(lag)
				continue
			}
			params := rapid.SampledFrom([]map[string]string{
				{"$order": "ttxid", "$where": "ttxid > '%s'"},
				{"$order": "ttxid", "$where": "ttxid <= '%s'", "$select": "ttxid,dba_name"},
				{"$order": "ttxid", "$where": "ttxid > '%s'", "$limit": "3", "$select": ":*,*"},
				{"$order": "ttxid", "$where": "ttxid > '%s' and city is not null"},
				{"$order": "ttxid desc"},
				{"$order": ":id", "$where": "ttxid is null"},
				{"$select": "count(*)"},
				{"$select": "city,count(*)", "$group": "city"},
				{"$select": "count(distinct ttxid)"},
				{},
			}).Draw(t, "query")
			params = maps.Clone(params)
			if where := params["$where"]; where != "" && where != "ttxid is null" {
				params["$where"] = fmt.Sprintf(where, bound.Draw(t, "bound"))
			}
			encoding := rapid.SampledFrom([]string{"gzip", "identity"}).Draw(t, "encoding")
			var answers [2]*httptest.ResponseRecorder
			for i, p := range []*Portal{cold, warm} {
				list := []string{}
				for k, v := range params {
					list = append(list, k, v)
				}
				r := httptest.NewRequest(http.MethodGet, query1(list...), nil) //nolint:noctx // no context in a property
				r.Header.Set("Accept-Encoding", encoding)
				answers[i] = httptest.NewRecorder()
				p.ServeHTTP(answers[i], r)
				answers[i].Header().Del("X-Socrata-RequestId")
			}
			require.Equal(t, answers[0].Code, answers[1].Code)
			require.Equal(t, answers[0].Header(), answers[1].Header())
			require.Equal(t, unzipped(t, answers[0]), unzipped(t, answers[1]))
		}
	})
}

// Only an answer whose rows were edited is made anew.
func TestEditsInvalidateWhatTheyTouch(t *testing.T) {
	p := portalWith(t, 1000, Options{CacheBytes: 1 << 30})
	keys := keysOf(p)
	low := map[string]string{"$order": "ttxid", "$where": "ttxid <= '" + keys[499] + "'"}
	high := map[string]string{"$order": "ttxid", "$where": "ttxid > '" + keys[499] + "'"}
	body := func(params map[string]string) *byte {
		ask(p, params)
		list := []string{}
		for k, v := range params {
			list = append(list, k, v)
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, query1(list...), nil)
		return &p.cache.answers[r.URL.Query().Encode()].body[0]
	}
	wasLow, wasHigh := body(low), body(high)
	require.NoError(t, p.Edit(Rename(keys[700], "Other")))
	assert.Same(t, wasLow, body(low))
	assert.NotSame(t, wasHigh, body(high))
	wasHigh = body(high)
	p.Fail(Fault{TruncateAfter: 10})
	assert.Len(t, ask(p, low).Body.Bytes(), 10, "a fault hits a kept answer, too")
	assert.Same(t, wasHigh, body(high))
}

func unzipped(t require.TestingT, w *httptest.ResponseRecorder) string {
	if w.Header().Get("Content-Encoding") != "gzip" {
		return w.Body.String()
	}
	z, err := gzip.NewReader(w.Body)
	require.NoError(t, err)
	body, err := io.ReadAll(z)
	require.NoError(t, err)
	return string(body)
}
