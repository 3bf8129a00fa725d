package socrata

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// groups is an answer with n rows that repeat a text with a number for %d.
func groups(n int, text string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(map[bool]string{true: "[", false: ","}[i == 0])
		b.WriteString(strings.ReplaceAll(text, "%d", string([]byte{'a' + byte(i/17576%26), 'a' + byte(i/676%26), 'a' + byte(i/26%26), 'a' + byte(i%26)})))
	}
	return b.String() + "]"
}

func requireGarbage(t *testing.T, err error, message string) {
	t.Helper()
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, Garbage, e.Kind)
	require.Contains(t, e.Error(), message)
}

func TestCountBy(t *testing.T) {
	c := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		assert.Equal(t, "date_trunc_ym(start) as by_1,city as by_2,count(*) as rows", q.Get("$select"))
		assert.Equal(t, "start is not null", q.Get("$where"))
		assert.Equal(t, "by_1,by_2", q.Get("$group"))
		assert.Equal(t, "50000", q.Get("$limit"))
		w.Header().Set("X-Socrata-RequestId", "r1")
		_, _ = io.WriteString(w, `[{"by_1":"2014-10-01T00:00:00.000","by_2":"Sf","rows":"17"},{"by_2":"Oakland","rows":"1"}]`)
	})
	counts, version, err := c.CountBy(t.Context(), "start is not null", "date_trunc_ym(start)", "city")
	require.NoError(t, err)
	assert.Equal(t, "r1", version.RequestID)
	assert.Equal(t, []CountRow{{[]string{"2014-10-01T00:00:00.000", "Sf"}, 17}, {[]string{"", "Oakland"}, 1}}, counts)

	const good = `{"by_1":"a","rows":"1"}`
	for body, message := range map[string]string{
		`[` + good + `,{"by_1":"b","rows":"0"}]`:  "row 2 has no count",
		`[` + good + `,{"by_1":"b","rows":"-1"}]`: "row 2 has no count",
		`[{"by_1":"b"}]`:                  "row 1 has no count",
		`[` + good + `,{"by_1":{"a":1}}]`: "row 2 is no values and a count",
		`[` + good:                        "not a whole JSON array of objects, after 1 rows",
		`{}`:                              "JSON object",
	} {
		_, _, err := answering(t, body).CountBy(t.Context(), "", "city")
		requireGarbage(t, err, message)
	}
	refused := clientOf(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) })
	_, _, err = refused.CountBy(t.Context(), "", "city")
	require.ErrorContains(t, err, "asked "+refused.base.String()+"/resource/g8m3-pdis.json for the number of its rows by city: bad query")
}

// TestAsManyGroupsAsAnAnswerHolds takes one group less than that, and no more.
func TestAsManyGroupsAsAnAnswerHolds(t *testing.T) {
	counts, _, err := answering(t, groups(MaxPage-1, `{"by_1":"%d","rows":"1"}`)).CountBy(t.Context(), "", "city")
	require.NoError(t, err)
	require.Len(t, counts, MaxPage-1)
	_, _, err = answering(t, groups(MaxPage, `{"by_1":"%d","rows":"1"}`)).CountBy(t.Context(), "", "city")
	require.ErrorIs(t, err, ErrTooManyGroups)

	all, _, err := answering(t, groups(MaxPage-1, `{"city":"%d","count":"1"}`)).GroupCounts(t.Context(), "city")
	require.NoError(t, err)
	require.Len(t, all, MaxPage-1)
	_, _, err = answering(t, groups(MaxPage, `{"city":"%d","count":"1"}`)).GroupCounts(t.Context(), "city")
	require.ErrorIs(t, err, ErrTooManyGroups)
	_, _, err = answering(t, `[{"city":"a","count":"1"},{"city":"b"}]`).GroupCounts(t.Context(), "city")
	requireGarbage(t, err, "row 2 is not a value of city and a count")
}

// TestSmallAnswersHaveABound: one byte more than it is an error.
func TestSmallAnswersHaveABound(t *testing.T) {
	const count = `[{"count":"7"}]`
	n, _, err := answering(t, count+strings.Repeat(" ", maxSmallBody-len(count))).Count(t.Context(), "")
	require.NoError(t, err)
	require.EqualValues(t, 7, n)
	_, _, err = answering(t, count+strings.Repeat(" ", maxSmallBody-len(count)+1)).Count(t.Context(), "")
	requireGarbage(t, err, "more than 65536 bytes")
}

func TestCountsSayWhatTheyAreOf(t *testing.T) {
	c := clientOf(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	_, _, err := c.Count(t.Context(), "")
	require.ErrorContains(t, err, " for the number of its rows: no such dataset")
	_, _, err = c.Count(t.Context(), "city = 'Sf'")
	require.ErrorContains(t, err, " for the number of its rows where city = 'Sf': no such dataset")
}
