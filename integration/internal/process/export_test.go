package process

var ReserveAt = reserve
