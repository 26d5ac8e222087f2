import { AbsoluteFill, useCurrentFrame } from "@millrace/scene";

// Names of globals are allowed for a scene's own things.
type Place = { top: number; location: string };

export default function Shadowed({ places = [{ top: 10, location: "Kiel" }] }: { places?: Place[] }) {
  const self = useCurrentFrame();
  return (
    <AbsoluteFill>
      {places.map(({ top, location }) => (
        <p key={location} style={{ position: "absolute", top: top + self, fontSize: 40 }}>
          {location}
        </p>
      ))}
    </AbsoluteFill>
  );
}
