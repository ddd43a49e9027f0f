package mem

import "github.com/omconnect/omconnect/oms"

var _ oms.Checker = (*Driver)(nil)

// CheckAccessPoint implements oms.Checker.
func (d *Driver) CheckAccessPoint(ap oms.AccessPoint) error {
	r := ap.Options.Reader()
	if len(ap.Hosts) > 0 {
		r.Problem("host", "a broker in memory has none; write oms:%s:///", ap.Driver)
	}
	if ap.User != "" {
		r.Problem("user", "a broker in memory has none")
	}
	if ap.Region != "" {
		r.Problem("region", "a broker in memory has none")
	}
	return r.Err()
}

// CheckTopic implements oms.Checker.
func (d *Driver) CheckTopic(_ oms.AccessPoint, topic string) error { return topicProblem(topic) }
