package config

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
)

// Dashboard are the settings of the dashboard.
type Dashboard struct {
	// Addr is where a worker serves the dashboard, HOST:PORT; empty: nowhere.
	Addr string `env:"PADRON_DASHBOARD_ADDR"`
	// Token is what every reader must present; empty: readers need none. A
	// secret.
	Token string `env:"PADRON_DASHBOARD_TOKEN"`
	// Public lets everybody who reaches the address read without a token.
	Public bool `env:"PADRON_DASHBOARD_PUBLIC"`
	// Sensitive shows and exports fields that may concern private persons.
	Sensitive bool `env:"PADRON_DASHBOARD_SENSITIVE"`
	// Embed says whose pages may show charts in frames: * for everybody's,
	// none, or origins with a space between, such as https://www.sf.gov.
	Embed string `env:"PADRON_DASHBOARD_EMBED" envDefault:"*"`
}

// origin is a site as a Content-Security-Policy may name it; https://*.sf.gov
// stands for all sites below a domain.
var origin = regexp.MustCompile(`^https?://(\*\.)?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:[0-9]{1,5})?$`)

// minToken is the smallest length of a token, in characters: shorter ones can
// be guessed.
const minToken = 16

// ErrOpen is returned for a dashboard that other machines could reach although
// no setting allows it.
var ErrOpen = errors.New("the dashboard would be open to other machines")

func (d Dashboard) check() error {
	if d.Token != "" && (len(d.Token) < minToken || strings.ContainsFunc(d.Token, func(r rune) bool { return r <= ' ' || r > '~' })) {
		return fmt.Errorf("PADRON_DASHBOARD_TOKEN: must have at least %d characters, without white space", minToken)
	}
	for _, site := range strings.Fields(d.Embed) {
		if d.Embed != "*" && d.Embed != "none" && !origin.MatchString(site) {
			return fmt.Errorf("PADRON_DASHBOARD_EMBED: %q; must be *, none, or sites like https://www.sf.gov with a space between", site)
		}
	}
	if d.Addr == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(d.Addr)
	if err != nil {
		return fmt.Errorf("PADRON_DASHBOARD_ADDR: %q; must look like 127.0.0.1:8080", d.Addr)
	}
	switch {
	case d.Token != "" || Loopback(host):
		return nil
	case d.Public && d.Sensitive:
		return fmt.Errorf("PADRON_DASHBOARD_ADDR: %w at %s, and show them sensitive fields:"+
			" set PADRON_DASHBOARD_TOKEN, or leave PADRON_DASHBOARD_SENSITIVE off",
			ErrOpen, d.Addr)
	case !d.Public:
		return fmt.Errorf("PADRON_DASHBOARD_ADDR: %w at %s: listen on 127.0.0.1, set PADRON_DASHBOARD_TOKEN (--token),"+
			" or say that everybody may read with PADRON_DASHBOARD_PUBLIC=1 (--public)",
			ErrOpen, d.Addr)
	default:
		return nil
	}
}

// Loopback reports whether a host can be reached from its own machine only.
func Loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
