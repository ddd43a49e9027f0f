package rocketmq

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// group is answer for what has to do with groups.
func (f *fake) group(c *fakeConn, cmd *command) *command {
	switch cmd.Code {
	case reqHeartbeat:
		var beat struct {
			ClientID        string `json:"clientID"`
			ConsumerDataSet []struct {
				GroupName string `json:"groupName"`
			} `json:"consumerDataSet"`
			ProducerDataSet []struct {
				GroupName string `json:"groupName"`
			} `json:"producerDataSet"`
		}
		if err := json.Unmarshal(cmd.body, &beat); err != nil {
			return refusal(resError, err.Error())
		}
		for _, g := range beat.ConsumerDataSet {
			if f.members[g.GroupName] == nil {
				f.members[g.GroupName] = make(map[string]*fakeConn)
			}
			if f.members[g.GroupName][beat.ClientID] != c {
				f.members[g.GroupName][beat.ClientID] = c
				f.notify(g.GroupName)
			}
		}
		for _, g := range beat.ProducerDataSet {
			if !slices.Contains(f.producers[g.GroupName], c) {
				f.producers[g.GroupName] = append(f.producers[g.GroupName], c)
			}
		}
		return ok(nil)
	case reqUnregister:
		delete(f.members[cmd.Fields["consumerGroup"]], cmd.Fields["clientID"])
		f.notify(cmd.Fields["consumerGroup"])
		return ok(nil)
	case reqConsumerList:
		var names []string
		for name := range f.members[cmd.Fields["consumerGroup"]] {
			names = append(names, name)
		}
		if names == nil {
			return refusal(resError, "no consumer for this group, "+cmd.Fields["consumerGroup"])
		}
		slices.Sort(names)
		return okBody(map[string]any{"consumerIdList": names})
	case reqLock, reqUnlock:
		return f.lock(cmd)
	case reqGroupConfig, reqCreateGroup:
		return ok(nil)
	case reqDeleteGroup:
		for key := range f.positions {
			if strings.HasPrefix(key, cmd.Fields["groupName"]+"@") {
				delete(f.positions, key)
			}
		}
		return ok(nil)
	}
	if cmd.Code == reqDeleteTopicInName {
		return ok(nil)
	}
	return refusal(resNotSupported, "request type not supported")
}

func (f *fake) lock(cmd *command) *command {
	var request lockRequest
	if err := json.Unmarshal(cmd.body, &request); err != nil {
		return refusal(resError, err.Error())
	}
	got := lockAnswer{LockOKMQSet: []lockedQueue{}}
	for _, q := range request.MQSet {
		key := fmt.Sprint(request.ConsumerGroup, q)
		switch holder := f.locks[key]; {
		case cmd.Code == reqUnlock && holder == request.ClientID:
			delete(f.locks, key)
		case cmd.Code == reqLock && (holder == "" || holder == request.ClientID):
			f.locks[key] = request.ClientID
			got.LockOKMQSet = append(got.LockOKMQSet, q)
		}
	}
	return okBody(got)
}
