package embedded

import "github.com/omconnect/omconnect/oms"

var _ oms.Checker = Driver{}

// CheckAccessPoint implements oms.Checker. It looks at no folder.
func (d Driver) CheckAccessPoint(ap oms.AccessPoint) error {
	read := embeddedOptions
	if d.External {
		read = natsOptions
	}
	_, err := read(ap)
	return err
}

// CheckTopic implements oms.Checker.
func (d Driver) CheckTopic(_ oms.AccessPoint, topic string) error { return checkTopic(topic) }
