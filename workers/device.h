/*
 * The methods of devices: device.list, device.remove.
 */

#ifndef WORKERS_DEVICE_H
#define WORKERS_DEVICE_H

struct family;

extern const struct family device_family;

#endif
