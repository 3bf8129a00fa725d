package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"padron/internal/certificate"
	"padron/internal/config"
	"padron/internal/dataset"
	"padron/internal/socrata"
)

// OpenPortal makes a client for the spec's portal.
func OpenPortal(c config.Config, spec *dataset.Spec) (*socrata.Client, error) {
	return socrata.New(socrata.Options{
		BaseURL: spec.Portal.BaseURL(c.PortalURL), ID: spec.Portal.ID, Hosts: spec.Portal.Hosts(), AppToken: c.AppToken, UserAgent: c.UserAgent,
	})
}

// Metadata asks the portal what the dataset looks like. Where the portal did not
// answer as one, the error says which setting to look at.
func Metadata(ctx context.Context, portal *socrata.Client) (*socrata.Metadata, socrata.Version, error) {
	live, version, err := portal.Metadata(ctx)
	if soda, ok := errors.AsType[*socrata.Error](err); ok && (soda.Kind == socrata.Network || soda.Kind == socrata.Garbage) {
		err = fmt.Errorf("%w; check the network and PADRON_PORTAL_URL", err)
	}
	return live, version, err
}

// Proof is what can show that a crawl is of one version of the portal.
type Proof struct {
	Kind   certificate.VersionProof `json:"kind,omitempty"` // empty: nothing, for now or ever
	Detail string                   `json:"detail"`
	Never  bool                     `json:"never,omitempty"` // the portal says too little: no run can be proven
	// Published is when rows were last published; zero: the portal does not say.
	Published time.Time `json:"published,omitzero"`
}

// ReadProof asks the portal for a count, to see what its answers tell of their
// version. Updated is when rows last changed by its metadata.
func ReadProof(ctx context.Context, portal *socrata.Client, updated time.Time) (Proof, int64, error) {
	rows, version, err := portal.Count(ctx, "")
	if err != nil {
		return Proof{}, 0, err
	}
	version.Updated = updated
	kind, why, again := (&certificate.Versions{First: version, After: updated}).Proof()
	p := Proof{Kind: kind, Detail: kind.String(), Never: kind == "" && !again, Published: version.Time()}
	switch {
	case p.Never:
		p.Detail = why + ": each run crawls once, removes nothing and ends unproven, and none is skipped, until the portal says more"
	case kind == "":
		p.Detail = why + "; a run waits and crawls again"
	}
	return p, rows, nil
}

// CheckPortal makes sure before a run that the portal is one and has the
// dataset. A portal that is only busy or in trouble is no reason to start
// nothing: the run outlasts that.
func CheckPortal(ctx context.Context, c config.Config, spec *dataset.Spec) error {
	portal, err := OpenPortal(c, spec)
	if err != nil {
		return err
	}
	_, _, err = Metadata(ctx, portal)
	if soda, ok := errors.AsType[*socrata.Error](err); ok {
		switch soda.Kind {
		case socrata.Computing, socrata.BotCheck, socrata.Timeout, socrata.Throttled, socrata.Unavailable:
			return nil
		default:
		}
	}
	return err
}
