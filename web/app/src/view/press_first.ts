// Enter in a search field takes the first of what was found.

/** `within` names where the results stand; results of an unfinished search are those of another word. */
export function pressFirst(e: KeyboardEvent, within: string): void {
  if (e.key !== 'Enter' || e.isComposing || e.keyCode === 229) return;
  e.preventDefault();
  if (!(e.currentTarget as HTMLInputElement).value.trim()) return;
  const first = document.querySelector<HTMLElement>(`${within} button`);
  if (!first?.closest('[aria-busy=true]')) first?.click();
}
