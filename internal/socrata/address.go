package socrata

import (
	"fmt"
	"net/url"
	"strings"
)

// ParseAddress reads the portal and the dataset from what people paste: an id
// (g8m3-pdis), HOST/ID, or the address of any of a portal's pages and endpoints
// for the dataset (/Category/Name/g8m3-pdis,
// /dataset/name/g8m3-pdis/about_data, /d/g8m3-pdis, /resource/g8m3-pdis.json,
// /api/views/g8m3-pdis …). The base URL is scheme and host; for a bare id it is
// empty. Without a scheme it is https, but http for an address on this machine.
func ParseAddress(s string) (baseURL, id string, err error) {
	s = strings.TrimSpace(s)
	if lower := strings.ToLower(s); isID(lower) {
		return "", lower, nil
	}
	address := s
	if !strings.Contains(s, "://") {
		address = "https://" + s
	}
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || strings.Contains(u.Host, "%") || u.User != nil {
		return "", "", notAnAddress(s)
	}
	if host := u.Hostname(); address != s && (host == "localhost" || host == "127.0.0.1" || host == "::1") {
		u.Scheme = "http"
	}
	// The last one counts: the dataset's name may come before it and look like
	// an id ("bike-rack").
	for segment := range strings.SplitSeq(strings.ToLower(u.Path), "/") {
		segment, _, _ = strings.Cut(segment, ".")
		if isID(segment) {
			id = segment
		}
	}
	if id == "" {
		return "", "", notAnAddress(s)
	}
	return (&url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host)}).String(), id, nil
}

func notAnAddress(s string) error {
	return fmt.Errorf("%q is neither a dataset id such as g8m3-pdis"+
		" nor the address of a dataset on a portal such as https://data.sf.gov/d/g8m3-pdis",
		s)
}

// isID reports whether s is a four-by-four: four lower-case letters or digits,
// a hyphen, four more.
func isID(s string) bool {
	if len(s) != 9 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case i == 4:
			if c != '-' {
				return false
			}
		case (c < 'a' || c > 'z') && (c < '0' || c > '9'):
			return false
		}
	}
	return true
}
