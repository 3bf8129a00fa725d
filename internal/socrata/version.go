package socrata

import (
	"net/http"
	"strings"
	"time"
)

// Version is the state of the dataset that an answer shows. Its times have a
// resolution of one second; a time is zero when the portal did not send it.
// Its fields have both omitempty and omitzero, because not every encoder that
// follows json tags knows omitzero.
type Version struct {
	// Served is the version of the copy that served the answer
	// (X-SODA2-Secondary-Last-Modified, else Last-Modified).
	Served time.Time `json:"served,omitempty,omitzero"`
	// Truth is the master's version (X-SODA2-Truth-Last-Modified), newer than
	// Served while copies lag.
	Truth time.Time `json:"truth,omitempty,omitzero"`
	// OutOfDate is the portal's own statement that the serving copy lags
	// (X-SODA2-Data-Out-Of-Date).
	OutOfDate bool `json:"out_of_date,omitempty"`
	// UpToDate is the portal's own statement that it does not: the same header,
	// saying so. Portals that state no Truth may have it.
	UpToDate bool `json:"up_to_date,omitempty"`
	// Updated is when rows last changed by the metadata of that moment
	// (Metadata.RowsUpdatedAt); zero where it was not asked for. No answer has it.
	Updated time.Time `json:"updated,omitempty,omitzero"`
	// Answered is when the portal made the answer, by its own clock (Date).
	Answered time.Time `json:"answered,omitempty,omitzero"`
	// RequestID is what the portal's support asks for (X-Socrata-RequestId).
	RequestID string `json:"request_id,omitempty"`
}

// Time is when the state was published, as far as the portal says; else zero.
func (v Version) Time() time.Time {
	if v.Served.IsZero() {
		return v.Updated
	}
	return v.Served
}

func versionOf(h http.Header) Version {
	served := headerTime(h, "X-SODA2-Secondary-Last-Modified")
	if served.IsZero() {
		served = headerTime(h, "Last-Modified")
	}
	stated := h.Get("X-SODA2-Data-Out-Of-Date")
	return Version{
		Served:    served,
		Truth:     headerTime(h, "X-SODA2-Truth-Last-Modified"),
		OutOfDate: outOfDate(stated),
		UpToDate:  strings.TrimSpace(stated) != "" && !outOfDate(stated),
		Answered:  headerTime(h, "Date"),
		RequestID: h.Get("X-Socrata-RequestId"),
	}
}

// headerTime reads a date. Old servers write UTC where HTTP has GMT.
func headerTime(h http.Header, name string) time.Time {
	value := h.Get(name)
	if date, ok := strings.CutSuffix(value, " UTC"); ok {
		value = date + " GMT"
	}
	t, err := http.ParseTime(value)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// outOfDate reads X-SODA2-Data-Out-Of-Date: a bool, or on newer servers the
// JSON list of the datasets in the query that lag, empty when none does.
// Anything else is taken for lagging, because waiting is safe.
func outOfDate(value string) bool {
	value = strings.ToLower(strings.Join(strings.Fields(value), ""))
	return value != "" && value != "false" && value != "[]"
}
