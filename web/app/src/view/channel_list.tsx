// The list of conversations, newest activity first.

import type { ChannelState } from '@chat/sdk';
import { useEffect, useState } from 'preact/hooks';
import { channelList, chat, ready, state } from '../model/chat.ts';
import { talkTo } from '../model/actions.ts';
import { findHidden } from '../model/hidden.ts';
import { channelName } from '../model/names.ts';
import { openDialog } from '../model/ui.ts';
import { ChannelRow } from './channel_row.tsx';
import { Icon } from './icon.tsx';
import { PeopleResults } from './people_results.tsx';
import { pressFirst } from './press_first.ts';

export function ChannelList({ current }: { current: string | undefined }) {
  const [query, setQuery] = useState('');
  const channels = channelList.value;
  const word = query.trim().toLocaleLowerCase();
  // what was looked for is found, also when it is open already
  useEffect(() => setQuery(''), [current]);
  const pick = (user: string) => {
    setQuery('');
    talkTo(user);
  };
  // the dots of the first screens; the conversation watches its own members
  const peers = channels.slice(0, 60).flatMap((c) => c.peer ?? []).sort().join(' ');
  useEffect(() => (peers ? chat.watch(peers.split(' ')) : undefined), [peers]);
  useEffect(() => {
    if (word) void findHidden();
  }, [word]);
  const called = (channel: ChannelState) => channelName(channel).toLocaleLowerCase().includes(word);
  const shown = word ? [...channels, ...chat.known().filter((c) => c.hidden)].filter(called) : channels;
  return (
    <section class="side" aria-label="Conversations">
      <header class="side-head">
        <h1 class="grow">Chats</h1>
        <button type="button" class="icon-button" aria-label="New group" title="New group" onClick={() => openDialog({ kind: 'new-group' })}>
          <Icon name="group" />
        </button>
        <button type="button" class="icon-button" aria-label="New chat" title="New chat" onClick={() => openDialog({ kind: 'new-chat' })}>
          <Icon name="compose" />
        </button>
      </header>
      <SearchField value={query} onChange={setQuery} />
      <div class="side-scroll">
        <ul class="channel-list" onKeyDown={moveInList} onClick={() => setQuery('')}>
          {shown.map((channel) => (
            <ChannelRow key={channel.channel} channel={channel.channel} current={channel.channel === current} />
          ))}
        </ul>
        {word && <PeopleResults query={query.trim()} onPick={pick} />}
        {!word && channels.length === 0 && ready.value && state.value.synced && <Welcome />}
      </div>
    </section>
  );
}

function SearchField({ value, onChange }: { value: string; onChange: (query: string) => void }) {
  return (
    <div class="search">
      <Icon name="search" />
      <input
        id="search"
        type="search"
        class="search-input"
        placeholder="Search people and chats"
        aria-label="Search people and chats"
        dir="auto"
        maxLength={64}
        value={value}
        onInput={(e) => onChange(e.currentTarget.value)}
        onKeyDown={(e) => {
          pressFirst(e, '.side-scroll');
          if (e.key === 'Escape') onChange('');
          if (e.key === 'ArrowDown') {
            e.preventDefault();
            document.querySelector<HTMLElement>('.side-scroll button')?.focus();
          }
        }}
      />
    </div>
  );
}

function Welcome() {
  return (
    <div class="welcome">
      <h2>Welcome</h2>
      <p class="soft">Find somebody by name and say hello.</p>
      <button type="button" class="button primary" onClick={() => openDialog({ kind: 'new-chat' })}>
        Start a chat
      </button>
    </div>
  );
}

function moveInList(e: KeyboardEvent): void {
  if (e.key !== 'ArrowDown' && e.key !== 'ArrowUp') return;
  const rows = [...(e.currentTarget as HTMLElement).querySelectorAll<HTMLElement>('.channel-row')];
  const at = rows.indexOf(document.activeElement as HTMLElement);
  rows[at + (e.key === 'ArrowDown' ? 1 : -1)]?.focus();
  e.preventDefault();
}
