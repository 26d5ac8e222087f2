import { AbsoluteFill, interpolate, useCurrentFrame } from "@millrace/scene";

export default ({ text = "Indented with tabs" }) => {
	const frame = useCurrentFrame();
	console.log(frame);
	return (
		<AbsoluteFill style={{ opacity: interpolate(frame, [0, 10], [0.2, 1], { extrapolateRight: "clamp" }) }}>
			<h1>{text}</h1>
		</AbsoluteFill>
	);
};
