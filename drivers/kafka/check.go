package kafka

import "github.com/omconnect/omconnect/oms"

var _ oms.Checker = Driver{}

// CheckAccessPoint implements oms.Checker. Files of certificates are read by
// Open only.
func (d Driver) CheckAccessPoint(ap oms.AccessPoint) error {
	_, err := readOptions(ap)
	return err
}

// CheckTopic implements oms.Checker.
func (d Driver) CheckTopic(_ oms.AccessPoint, topic string) error { return checkTopic(topic) }
