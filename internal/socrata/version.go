package socrata

import (
	"net/http"
	"strings"
	"time"
)

// Version says which state of the dataset an answer shows. Its times have a resolution of one second; a
// time is zero when the portal did not say.
type Version struct {
	// Served is the version of the copy that served the answer (X-SODA2-Secondary-Last-Modified, else
	// Last-Modified).
	Served time.Time `json:"served,omitzero" bson:"served,omitempty"`
	// Truth is the master's version (X-SODA2-Truth-Last-Modified), newer than Served while copies lag.
	Truth time.Time `json:"truth,omitzero" bson:"truth,omitempty"`
	// OutOfDate is the portal's own word that the serving copy lags (X-SODA2-Data-Out-Of-Date).
	OutOfDate bool `json:"out_of_date,omitempty" bson:"out_of_date,omitempty"`
	// RequestID is what the portal's support asks for (X-Socrata-RequestId).
	RequestID string `json:"request_id,omitempty" bson:"request_id,omitempty"`
}

func versionOf(h http.Header) Version {
	served := headerTime(h, "X-SODA2-Secondary-Last-Modified")
	if served.IsZero() {
		served = headerTime(h, "Last-Modified")
	}
	return Version{
		Served:    served,
		Truth:     headerTime(h, "X-SODA2-Truth-Last-Modified"),
		OutOfDate: outOfDate(h.Get("X-SODA2-Data-Out-Of-Date")),
		RequestID: h.Get("X-Socrata-RequestId"),
	}
}

func headerTime(h http.Header, name string) time.Time {
	t, err := http.ParseTime(h.Get(name))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// outOfDate reads X-SODA2-Data-Out-Of-Date: a bool, or on newer servers the JSON list of the datasets in the
// query that lag, empty when none does. Anything else is taken for lagging: waiting is the safe side.
func outOfDate(value string) bool {
	value = strings.ToLower(strings.Join(strings.Fields(value), ""))
	return value != "" && value != "false" && value != "[]"
}
