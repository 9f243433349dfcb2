// Where one is logged in.

import type { Device } from '@chat/sdk';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { chat, state } from '../model/chat.ts';
import { attempt, wordsFor } from '../model/errors.ts';
import { lastActive } from '../text/time.ts';
import { Confirm } from './dialog.tsx';
import { Icon } from './icon.tsx';

export function Devices() {
  const [devices, setDevices] = useState<Device[]>([]);
  const [problem, setProblem] = useState('');
  const [asked, ask] = useState<Device | null>(null);
  const title = useRef<HTMLHeadingElement>(null);
  const removed = useRef(false);
  const online = state.value.status === 'online';
  const load = () =>
    chat.call('device.list', {}).then(
      (answer) => {
        setDevices(answer.devices.sort((a, b) => Number(b.current) - Number(a.current) || b.last_active_at - a.last_active_at));
        setProblem('');
      },
      (error) => setProblem(wordsFor(error)),
    );
  useEffect(() => {
    if (online) void load();
  }, [online]);
  // a row that goes takes the focus with it
  useLayoutEffect(() => {
    if (removed.current && document.activeElement === document.body) title.current?.focus();
    removed.current = false;
  }, [devices]);
  const remove = async (device: string) => {
    removed.current = await attempt(() => chat.call('device.remove', { device }), 'Logged out there');
    await load();
  };
  return (
    <section aria-label="Devices">
      <h2 class="section-title" tabIndex={-1} ref={title}>Devices</h2>
      <ul class="card">
        {devices.map((device) => (
          <li key={device.device} class="contact-row" data-device={device.device}>
            <span class="round-icon">
              <Icon name="device" />
            </span>
            <span class="contact-text grow">
              <span class="one-line">
                <bdi>{nameOf(device)}</bdi>
              </span>
              <span class="soft one-line">{device.current ? 'this device' : lastActive(device.last_active_at)}</span>
            </span>
            {!device.current && (
              <button type="button" class="button small" aria-label={`Log out on ${nameOf(device)}`} onClick={() => ask(device)}>
                Log out there
              </button>
            )}
          </li>
        ))}
        {devices.length === 0 && <li class="soft pad">{problem || (online ? 'Loading…' : 'Shown when you are online.')}</li>}
      </ul>
      {asked && (
        <Confirm title={`Log out on ${nameOf(asked)}?`} action="Log out there" danger onClose={() => ask(null)} onConfirm={() => void remove(asked.device)}>
          What was written there and not sent is lost.
        </Confirm>
      )}
    </section>
  );
}

const nameOf = ({ name, device }: Device): string => name ?? device;
