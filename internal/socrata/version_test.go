package socrata

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestVersion(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 10, 3, 11, minute, 0, 0, time.UTC) }
	for name, test := range map[string]struct {
		headers map[string]string
		want    Version
	}{
		"none": {},
		"all": {
			map[string]string{
				"Last-Modified":                   "Sat, 03 Oct 2026 11:01:00 GMT",
				"X-SODA2-Secondary-Last-Modified": "Sat, 03 Oct 2026 11:02:00 GMT",
				"X-SODA2-Truth-Last-Modified":     "Sat, 03 Oct 2026 11:03:00 GMT",
				"X-SODA2-Data-Out-Of-Date":        "true",
				"X-Socrata-RequestId":             "r1",
				"Date":                            "Sat, 03 Oct 2026 11:04:00 GMT",
			},
			Version{Served: at(2), Truth: at(3), OutOfDate: true, Answered: at(4), RequestID: "r1"},
		},
		"an older server": {
			map[string]string{"Last-Modified": "Sat, 03 Oct 2026 11:01:00 GMT", "X-SODA2-Data-Out-Of-Date": "false"},
			Version{Served: at(1), UpToDate: true},
		},
		"the newer query path": {
			map[string]string{"Last-Modified": "Sat, 03 Oct 2026 11:01:00 GMT", "X-SODA2-Data-Out-Of-Date": "[]"},
			Version{Served: at(1), UpToDate: true},
		},
		"an old portal": {map[string]string{"Last-Modified": "Sat, 03 Oct 2026 11:01:00 UTC", "Age": "2067"}, Version{Served: at(1)}},
		"unreadable": {
			map[string]string{"X-SODA2-Secondary-Last-Modified": "yesterday", "Last-Modified": "Sat, 03 Oct 2026 11:01:00 GMT", "X-SODA2-Truth-Last-Modified": "1"},
			Version{Served: at(1)},
		},
	} {
		h := http.Header{}
		for k, v := range test.headers {
			h.Set(k, v)
		}
		assert.Equal(t, test.want, versionOf(h), name)
	}
}

func TestOutOfDate(t *testing.T) {
	for value, want := range map[string]bool{
		"": false, "false": false, "False": false, "[]": false, "[ ]": false,
		"true": true, "TRUE": true, `[["_g8m3-pdis","Published"]]`: true, "g8m3-pdis": true,
	} {
		assert.Equal(t, want, outOfDate(value), value)
	}
}

func TestVersionTime(t *testing.T) {
	served, updated := time.Date(2026, 10, 3, 11, 0, 0, 0, time.UTC), time.Date(2026, 10, 3, 10, 0, 0, 0, time.UTC)
	assert.Equal(t, served, Version{Served: served, Updated: updated}.Time())
	assert.Equal(t, updated, Version{Updated: updated}.Time())
	assert.Zero(t, Version{}.Time())
}

func TestVersionAsJSON(t *testing.T) {
	text, err := json.Marshal(Version{})
	require.NoError(t, err)
	assert.JSONEq(t, `{}`, string(text))
	v := Version{Served: time.Date(2026, 10, 3, 11, 0, 0, 0, time.UTC), Truth: time.Date(2026, 10, 3, 11, 0, 1, 0, time.UTC), OutOfDate: true, RequestID: "r1"}
	text, err = json.Marshal(v)
	require.NoError(t, err)
	assert.JSONEq(t, `{"served":"2026-10-03T11:00:00Z","truth":"2026-10-03T11:00:01Z","out_of_date":true,"request_id":"r1"}`, string(text))
	var back Version
	require.NoError(t, json.Unmarshal(text, &back))
	assert.Equal(t, v, back)
}
