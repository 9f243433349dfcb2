// Contacts, profiles, presence.
import type { Contact, ContactState, Presence, User } from './protocol.ts';

export interface PeopleHooks {
  userChanged(profile: Profile): void;
  contactChanged(contact: Contact): void;
  presenceChanged(user: string): void;
  now(): number;
}

/** A profile and when it came; null: there is no such user. */
export interface Profile {
  user: string;
  profile: User | null;
  at: number;
}

export class People {
  profiles = new Map<string, Profile>();
  #states = new Map<string, Contact>();
  #online = new Map<string, Presence>();
  #sorted: readonly Contact[] | null = null;

  constructor(private readonly hooks: PeopleHooks) {}

  contacts(): readonly Contact[] {
    return (this.#sorted ??= [...this.#states.values()].sort((a, b) => (a.user < b.user ? -1 : 1)));
  }

  contact(user: string): ContactState {
    return this.#states.get(user)?.state ?? 'none';
  }

  presence(user: string): Presence | undefined {
    return this.#online.get(user);
  }

  presences(): Presence[] {
    return [...this.#online.values()];
  }

  restore(contacts: readonly Contact[], profiles: readonly Profile[], presences: readonly Presence[] = []): void {
    this.clear();
    this.#states = new Map(contacts.map((contact) => [contact.user, contact]));
    this.profiles = new Map(profiles.map((profile) => [profile.user, profile]));
    this.#online = new Map(presences.map((presence) => [presence.user, presence]));
  }

  clear(): void {
    this.#states.clear();
    this.profiles.clear();
    this.#online.clear();
    this.#sorted = null;
  }

  apply(method: string, params: any): void {
    if (method === 'contact.updated') this.#setContact(params.contact);
    if (method === 'presence') this.#setPresence(params);
  }

  applyResult(method: string, params: any, result: any): void {
    if (method === 'contact.list') {
      for (const contact of result.contacts as Contact[]) this.#setContact(contact);
    } else if (method === 'user.search') {
      for (const user of result.users as User[]) this.#setProfile(user.user, user);
    } else if (method.startsWith('presence.') && method !== 'presence.unwatch') {
      for (const presence of result.users as Presence[]) this.#setPresence(presence);
    } else if (result.contact) {
      this.#setContact(result.contact);
    } else if (result.user?.user) {
      this.#setProfile(result.user.user, result.user);
    } else if (method === 'user.get' && result.missing) {
      this.#setProfile(params.user, null);
    }
  }

  /** After a whole list was read: those that are not in it are contacts no more. */
  dropOthers(listed: ReadonlySet<string>, before: readonly Contact[]): void {
    for (const { user, state } of before) {
      if (!listed.has(user) && this.contact(user) === state) this.#setContact({ user, state: 'none' });
    }
  }

  #setContact(contact: Contact): void {
    if (this.contact(contact.user) === contact.state) return;
    if (contact.state === 'none') this.#states.delete(contact.user);
    else this.#states.set(contact.user, contact);
    this.#sorted = null;
    this.hooks.contactChanged(contact);
  }

  #setPresence(presence: Presence): void {
    this.#online.set(presence.user, presence);
    this.hooks.presenceChanged(presence.user);
  }

  #setProfile(user: string, profile: User | null): void {
    const entry = { user, profile, at: this.hooks.now() };
    this.profiles.set(user, entry);
    this.hooks.userChanged(entry);
  }
}
